package SL::Httpd;

# An httpd of its own for a test: temporary server root, free ports, the TLS module of your choice, stopped and
# looked over at the end. t/README.md shows how to use it.

use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename qw(basename dirname);
use POSIX ();
use Test::More ();
use SL::Certs;
use SL::Command qw(run stop_process wait_until free_port scratch_dir slurp spew slow find_program);

our $top = abs_path(dirname(__FILE__) . '/../../..');

my @always = qw(authz_core alias dir mime setenvif);

# What a module needs to be loaded before it.
my %needs = (
    auth_basic => ['authn_core', 'authn_file', 'authz_user'],
    authz_user => ['authn_core'],
    proxy_http          => ['proxy'],
    proxy_http2         => ['proxy'],
    proxy_connect       => ['proxy'],
    proxy_wstunnel      => ['proxy', 'proxy_http'],
    proxy_fcgi          => ['proxy'],
    proxy_balancer      => ['proxy', 'slotmem_shm', 'lbmethod_byrequests'],
    lbmethod_byrequests => ['proxy'],
    info                => [],
);

my %mpm_settings = (
    event   => "StartServers 1\nThreadsPerChild 8\nMaxRequestWorkers 16\nMinSpareThreads 2\nMaxSpareThreads 16\n",
    worker  => "StartServers 1\nThreadsPerChild 8\nMaxRequestWorkers 16\nMinSpareThreads 2\nMaxSpareThreads 16\n",
    prefork => "StartServers 3\nMinSpareServers 2\nMaxSpareServers 8\nMaxRequestWorkers 12\n",
);

my %running;
my $owner = $$;

sub program {
    return $ENV{SL_HTTPD} || find_program('apache2', 'httpd') || die 'no httpd found: install apache2-bin or set SL_HTTPD';
}

my $module_dir;

sub module_dir {
    return $module_dir ||= $ENV{SL_MODULE_DIR} || do {
        my $apxs = find_program('apxs', 'apxs2');
        my $dir = $apxs ? run([$apxs, '-q', 'LIBEXECDIR'])->{out} : '/usr/lib/apache2/modules';
        $dir =~ s/\s+\z//;
        $dir;
    };
}

# Path of the module under test.
sub module_path {
    my ($tls) = @_;
    return module_dir() . '/mod_ssl.so' if $tls eq 'mod_ssl';
    my $variant = $ENV{SL_SAN} || 'normal';
    my $path = $ENV{SL_MODULE} || "$top/build/$variant/mod_securelayer/.libs/mod_securelayer.so";
    die "$path is not there: build first (t/check does) or name the module with SL_MODULE\n" unless -e $path;
    return $path;
}

sub has_module { my ($name) = @_; return -e module_dir() . "/mod_$name.so" }

# tls      securelayer (default), mod_ssl or none; SL_TLS changes the default
# symbol   name to load the module by: securelayer_module (default) or ssl_module
# mpm      event (default), worker, prefork; SL_MPM changes the default
# mpm_settings  instead of the small ones above
# modules  names to load beside the few that are always there, e.g. [qw(cgid headers http2)]
# load     lines put right behind the LoadModule lines
# config   text of the configuration, see config()
# single   1: one process, no fork (-X); always so under ThreadSanitizer
# daemon   1: started as a daemon (-k start)
# full_stacks   1: AddressSanitizer keeps whole stacks, so that leaks of another module can be told apart (slow)
sub new {
    my ($class, %o) = @_;
    my $self = bless {
        tls          => $o{tls} || $ENV{SL_TLS} || 'securelayer',
        mpm          => $o{mpm} || $ENV{SL_MPM} || 'event',
        mpm_settings => $o{mpm_settings},
        modules      => $o{modules} || [],
        load         => $o{load} || '',
        symbol       => $o{symbol},
        single       => $o{single} || ($ENV{SL_SAN} || '') eq 'tsan',
        daemon       => $o{daemon},
        env          => $o{env} || {},
        full_stacks  => $o{full_stacks},
        defines      => $o{defines} || [],
        text         => '',
        define       => {},
        ports        => {},
        mark         => 0,
        name         => $o{name} || 'httpd',
    }, $class;
    $self->{root} = scratch_dir('sl-httpd');
    mkdir "$self->{root}/$_", 0755 for qw(conf logs docs cgi run);
    for my $open (qw(work reports)) {
        mkdir "$self->{root}/$open";
        chmod 01777, "$self->{root}/$open";
    }
    spew("$self->{root}/docs/index.html", "this is the default page\n");
    spew("$self->{root}/conf/mime.types", "text/html html\ntext/plain txt\napplication/octet-stream bin\n");
    $self->config($o{config}) if defined $o{config};
    return $self;
}

sub root { return $_[0]{root} }
sub docs { return "$_[0]{root}/docs" }
sub pid  { return $_[0]{pid} }
sub tls  { return $_[0]{tls} }

# The free port of that name; the configuration calls it ${port_NAME}.
sub port {
    my ($self, $name) = @_;
    return $self->{ports}{ $name || 'https' } ||= free_port();
}

# Adds text. In it ${root}, ${docs}, ${cgi} and ${work} (writable by httpd's children) are directories, ${certs} that
# of SL::Certs, and any ${port_NAME} a free port. More by define().
sub config {
    my ($self, $text) = @_;
    $self->port($1) while $text =~ /\$\{port_(\w+)\}/g;
    $self->{text} .= "$text\n";
    return $self;
}

sub set_config { my ($self, $text) = @_; $self->{text} = ''; return $self->config($text) }
sub define { my ($self, %more) = @_; $self->{define}{$_} = $more{$_} for keys %more; return $self }

# Writes a file below the server root; "docs/a.txt", "cgi/env.pl" (made executable).
sub file {
    my ($self, $name, $text) = @_;
    my $path = "$self->{root}/$name";
    my $at   = $self->{root};
    for my $part (split m{/}, dirname($name)) { $at .= "/$part"; mkdir $at, 0755 }
    spew($path, $text, $name =~ m{^cgi/} ? 0755 : 0644);
    return $path;
}

sub module_lines {
    my ($self) = @_;
    my (%seen, @lines);
    my $load;
    $load = sub {
        my ($name) = @_;
        return if $seen{$name}++;
        $load->($_) for @{ $needs{$name} || [] };
        my $symbol = $name eq 'mpm_event' ? 'mpm_event' : $name;
        push @lines, "LoadModule ${symbol}_module \"" . module_dir() . "/mod_$name.so\"\n";
    };
    $load->($_) for "mpm_$self->{mpm}", @always, @{ $self->{modules} };
    if ($self->{tls} ne 'none') {
        my $path = module_path($self->{tls});
        my $symbol = $self->{symbol} || (basename($path) eq 'mod_ssl.so' ? 'ssl_module' : 'securelayer_module');
        push @lines, "LoadModule $symbol \"$path\"\n";
    }
    return join '', @lines, $self->{load} ? "$self->{load}\n" : '';
}

sub write_config {
    my ($self) = @_;
    my $root   = $self->{root};
    my %define = (
        root => $root, docs => "$root/docs", cgi => "$root/cgi", work => "$root/work",
        certs => SL::Certs->new->dir,
        (map { ("port_$_" => $self->{ports}{$_}) } keys %{ $self->{ports} }),
        %{ $self->{define} },
    );
    my $defines = join '', map { "Define $_ \"$define{$_}\"\n" } sort keys %define;
    my $user = $> == 0 ? "User www-data\nGroup www-data\n" : '';
    my $settings = $self->{mpm_settings} // $mpm_settings{ $self->{mpm} };
    return spew("$root/conf/httpd.conf", <<"HEAD" . $self->{text});
${defines}ServerRoot "$root"
DefaultRuntimeDir "$root/run"
PidFile "$root/run/httpd.pid"
ServerName localhost
${\ $self->module_lines }
${user}${settings}
Mutex file:$root/run default
Timeout 20
ErrorLog "$root/logs/error"
LogLevel info
LogFormat "%v %>s \\"%r\\"" default
CustomLog "$root/logs/access" default
TypesConfig "$root/conf/mime.types"
DocumentRoot "$root/docs"
<Directory />
    Require all granted
</Directory>

HEAD
}

sub sanitizer_library {
    my ($name) = @_;
    my $path = run(['gcc', "-print-file-name=$name"])->{out};
    chomp $path;
    return $path;
}

# The environment httpd is started with. The preload is httpd's alone: clients run without.
sub environment {
    my ($self) = @_;
    my %env = (LC_ALL => 'C', TZ => 'UTC', SSLKEYLOGFILE => undef, %{ $self->{env} });
    my $reports = "$self->{root}/reports/report";
    my $sanitizer = $self->{tls} eq 'mod_ssl' ? '' : $ENV{SL_SAN} || '';    # mod_ssl's own leaks are not looked for
    if ($sanitizer eq 'asan') {
        $env{LD_PRELOAD}   = join ' ', grep {-e} "$top/build/asan/leak_check.so", sanitizer_library('libasan.so');
        # A signal ends a child of prefork in the midst of anything, OpenSSL too: what is half made then is no leak.
        my $leaks = $self->{mpm} eq 'prefork' ? 0 : 1;
        $env{ASAN_OPTIONS} = "verify_asan_link_order=0:detect_leaks=$leaks:leak_check_at_exit=0:halt_on_error=1:exitcode=99:log_path=$reports:detect_stack_use_after_return=1"
            . ($self->{full_stacks} ? ':fast_unwind_on_malloc=0' : '');
        $env{UBSAN_OPTIONS} = "print_stacktrace=1:halt_on_error=1:log_path=$reports";
        $env{LSAN_OPTIONS}  = "suppressions=$top/t/lib/lsan.supp:print_suppressions=0";
    }
    elsif ($sanitizer eq 'tsan') {
        $env{LD_PRELOAD}   = join ' ', grep {-e} "$top/build/tsan/pool_order.so", sanitizer_library('libtsan.so');
        $env{TSAN_OPTIONS} = "suppressions=$top/t/lib/tsan.supp:log_path=$reports:second_deadlock_stack=1:exitcode=0";
    }
    return \%env;
}

sub command {
    my ($self, @args) = @_;
    return [program(), '-d', $self->{root}, '-f', "$self->{root}/conf/httpd.conf", (map { ('-D', $_) } @{ $self->{defines} }),
        @args];
}

# httpd -t, or with other arguments: ->configtest('-S'). A result of SL::Command::run.
sub configtest {
    my ($self, @args) = @_;
    $self->write_config;
    return run($self->command(@args ? @args : '-t'), timeout => 60, env => $self->environment);
}

# Starts and waits until it serves. False if it did not come up: then said() tells why and start_status() is
# its exit status.
sub start {
    my ($self) = @_;
    $self->write_config;
    $self->mark;
    my $pid_file = "$self->{root}/run/httpd.pid";
    unlink $pid_file;
    my @how = $self->{single} ? '-X' : $self->{daemon} ? ('-k', 'start') : '-DFOREGROUND';
    my $child = SL::Command::start($self->command(@how), env => $self->environment, cwd => $self->{root},
        stdout => "$self->{root}/logs/stderr", stderr => "$self->{root}/logs/stderr");
    $self->{child} = $child;
    my $exited;
    my $up = wait_until(
        sub {
            if (defined $child && waitpid($child, POSIX::WNOHANG()) == $child) {
                $exited = $?;
                undef $child;
            }
            return 'failed' if defined $exited && ($exited || !$self->{daemon});
            return slurp($pid_file) =~ /^(\d+)\n/ ? $1 : undef;
        },
        20 * slow()
    );
    if (!$up || $up eq 'failed') {
        kill 'KILL', -$self->{child} if defined $child;
        waitpid $child, 0 if defined $child;
        delete $self->{child};
        $self->{start_status} = defined $exited ? ($exited & 127 ? 128 + ($exited & 127) : $exited >> 8) : -1;
        return 0;
    }
    $self->{pid} = $up;
    $self->{start_status} = 0;
    $running{$self} = $self->{pid};
    return 1;
}

sub start_status { return $_[0]{start_status} }

# start() as a test.
sub start_ok {
    my ($self, $name) = @_;
    my $ok = $self->start;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    Test::More::ok($ok, $name || "$self->{name}: starts ($self->{tls}, $self->{mpm})")
        or Test::More::diag($self->said);
    return $ok;
}

# What a start or run printed and logged.
sub said { my ($self) = @_; return slurp("$self->{root}/logs/stderr") . $self->error_log }

sub error_log  { return slurp("$_[0]{root}/logs/error") }
sub access_log { return slurp("$_[0]{root}/logs/access") }

# From here on new_log() and wait_for_log() look.
sub mark    { my ($self) = @_; $self->{mark} = -s "$self->{root}/logs/error" || 0; return $self }
sub new_log { my ($self) = @_; return substr $self->error_log, $self->{mark} }

# Waits until the error log (since the last mark) matches; returns $1 or the match, undef after that many seconds.
sub wait_for_log {
    my ($self, $pattern, $seconds) = @_;
    return wait_until(sub { return $self->new_log =~ $pattern ? $1 // $& : undef }, ($seconds || 10) * slow());
}

sub wait_for_access {
    my ($self, $pattern, $seconds) = @_;
    return wait_until(sub { return $self->access_log =~ $pattern ? $1 // $& : undef }, ($seconds || 10) * slow());
}

my $resuming = qr/AH00(?:489|292|163):.*resuming normal operations/;

# graceful => 1 (default) or 0. Waits until the new generation serves; false if it did not come.
sub restart {
    my ($self, %o) = @_;
    $self->write_config;
    # Children serve a moment before the parent says so: what it says of the start must not pass for the restart's.
    wait_until(sub { $self->error_log =~ $resuming }, 5 * slow()) unless $self->{restarts}++;
    $self->mark;
    wait_until(sub { slurp("/proc/$self->{pid}/status") =~ /^SigCgt:\s*[0-9a-f]*[2367abef][0-9a-f]{2}$/m }, 20 * slow());    # it minds USR1
    kill(($o{graceful} // 1) ? 'USR1' : 'HUP', $self->{pid});
    return $self->wait_for_log($resuming, 20) ? 1 : 0;
}

# Process ids of httpd's children (that run threads or requests).
sub children {
    my ($self, $helper) = @_;
    my @children;
    for my $stat (glob '/proc/[0-9]*/stat') {
        my ($pid, $name, $state, $parent) = slurp($stat) =~ /^(\d+) \((.*)\) (\w) (\d+) /s or next;
        push @children, $pid if $parent == $self->{pid} && $state ne 'Z' && ($name =~ /^sl-/ ? $name : '') eq ($helper // '');
    }
    return sort { $a <=> $b } @children;
}

# One of a threaded MPM that has its threads, and so its name: httpd may answer before there is any. Waits for it.
sub serving_child {
    my ($self) = @_;
    my $serves = sub { return slurp("/proc/$_[0]/status") =~ /^Threads:\s*(?!1$)\d+$/m };
    return wait_until(sub { return (grep { $serves->($_) } $self->children)[0] }, 20 * slow());
}

# Kills a child, which is no crash then.
sub kill_child { my ($self, $pid) = @_; $self->{killed}{$pid} = 1; return kill 'KILL', $pid }

# Process id of the module's "keeper" or "courier"; undef if there is none.
sub helper { my ($self, $name) = @_; return ($self->children("sl-$name"))[0] }

# The same of one that is sure to come: httpd may serve before it has a name.
sub awaited_helper {
    my ($self, $name) = @_;
    return wait_until(sub { $self->helper($name) }, 20 * slow());
}

sub is_running { my ($self) = @_; return $self->{pid} && kill 0, $self->{pid} }

# A child that has no threads yet answers SIGTERM with exit() in the middle of whatever it does (httpd's MPMs have it so),
# in malloc() too, and then may crash. Waits until no child of a threaded MPM is that young; mod_cgid's never has threads.
sub wait_for_threads {
    my ($self) = @_;
    return if $self->{single} || $self->{mpm} eq 'prefork';
    my $name = basename(program());
    my $cgid = grep { $_ eq 'cgid' } @{ $self->{modules} };
    my $young = sub { return grep { slurp("/proc/$_/status") =~ /^Name:\s*\Q$name\E\n.*^Threads:\s*1\n/ms } $self->children };
    wait_until(sub { $young->() <= $cgid }, 2 * slow());
    return;
}

sub end_process {
    my ($self, $signal) = @_;
    return unless $self->{pid};
    $self->wait_for_threads;
    my $pid = delete $self->{pid};
    delete $running{$self};
    my $clean;
    if ($self->{daemon}) {
        kill $signal, $pid;
        $clean = wait_until(sub { !kill 0, $pid }, 20 * slow());
        kill 'KILL', -$pid unless $clean;
    }
    else {
        my $status = stop_process($pid, signal => $signal, timeout => 20 * slow());
        $clean = defined $status && $status == 0;
        $self->{wait_status} = $status;
    }
    delete $self->{child};
    return $clean;
}

# Lines of the error log that tell of a crashed child, and reports of a sanitizer.
sub crashes {
    my ($self) = @_;
    my @found = grep {/exit signal|seg fault or similar|AH0005[12]:/} split /\n/, $self->error_log;
    @found = grep { !(/child pid (\d+) exit signal Killed/ && $self->{killed}{$1}) } @found;
    push @found, grep { !$self->is_end_of_one_process($_) && !is_leak_check_itself($_) } map { slurp($_) } glob "$self->{root}/reports/report*";
    return @found;
}

# LeakSanitizer's search itself crashed (a thread ended under its eyes); it found nothing, good or bad.
sub is_leak_check_itself {
    my ($report) = @_;
    return $report =~ /^Tracer caught signal \d+: .*^==\d+==LeakSanitizer has encountered a fatal error/ms && $report !~ /ERROR: |runtime error/;
}

# At the end of httpd in one process (-X) its main thread frees pools and sockets of connections that are still open,
# which may be gone by then. In children, as they are otherwise, nothing of this is done.
sub is_end_of_one_process {
    my ($self, $report) = @_;
    return 0 unless $self->{single} && !$self->{pid} && $report !~ /securelayer|WARNING: ThreadSanitizer/;
    return $report =~ /^==(\d+)==ERROR: ThreadSanitizer: SEGV .* T\1\)$/m && $report =~ / in main | main <null>/;
}

# Stops it and makes one test of it: it ended cleanly, no child crashed, no sanitizer had anything to say. How mod_ssl
# ends is its own affair: with OpenSSL's exit handler and threads a child
# sometimes crashes.
sub stop {
    my ($self, %o) = @_;
    return 1 unless $self->{pid};
    my $clean   = $self->end_process($o{signal} || 'TERM');
    my @crashes = $self->crashes;
    $clean ||= grep { $self->is_end_of_one_process($_) || is_leak_check_itself($_) } map { slurp($_) } glob "$self->{root}/reports/report*";
    if ($self->{tls} eq 'mod_ssl') {
        Test::More::diag("$self->{name}: did not end cleanly") unless $clean && !@crashes;
        return 1;
    }
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    Test::More::ok($clean && !@crashes, "$self->{name}: stops cleanly, nothing crashed")
        or Test::More::diag(
            $clean ? () : 'it did not end cleanly, wait status ' . ($self->{wait_status} // 'none') . "\n",
            join "\n", @crashes);
    $self->tell_if_failing;
    return $clean && !@crashes;
}

# The end of the error log, once something failed.
sub tell_if_failing {
    my ($self) = @_;
    return if Test::More->builder->is_passing || $self->{told}++;
    my @lines = split /\n/, $self->said;
    splice @lines, 0, @lines - 60 if @lines > 60;
    Test::More::diag("--- $self->{name}: end of $self->{root}/logs/error");
    Test::More::diag($_) for @lines;
    Test::More::diag('---');
}

sub DESTROY {
    my ($self) = @_;
    return unless $$ == $owner;
    local ($?, $@, $!);
    $self->tell_if_failing;
    $self->end_process('TERM') if $self->{pid};
}

END {
    if ($$ == $owner) {
        local ($?, $!);
        for my $pid (values %running) { stop_process($pid, timeout => 5) }
    }
}

1;
