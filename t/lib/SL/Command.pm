package SL::Command;

# Runs other programs for the tests: every one has a deadline, and nothing is left behind.
#
#   my $r = run(['curl', $url], stdin => $text, timeout => 10, env => {A => 1}, cwd => $dir);
#   $r->{status}     exit status (128 + number if a signal ended it)
#   $r->{out}, $r->{err}, $r->{timed_out}, $r->{seconds}
#
#   wait_until(sub { ... }, 10)      polls until the code returns true, returns that value; undef after 10 seconds
#   free_port()                      a port on the loopback that no other test of this machine is given
#   scratch_dir($name)               a directory that goes away at the end of the test (kept with SL_KEEP=1)

use strict;
use warnings;
use Exporter 'import';
use Fcntl qw(:flock);
use File::Temp ();
use File::Path ();
use IO::Select;
use IO::Socket::IP;
use POSIX ();
use Socket qw(SOCK_STREAM);
use Time::HiRes qw(time sleep);

our @EXPORT_OK = qw(run start stop_process wait_until free_port scratch_dir slurp spew slow find_program);

# Deadlines are for a quiet machine; sanitizers and a busy machine ask for more.
sub slow { return $ENV{SL_SAN} ? 4 : $ENV{SL_SLOW} || 1 }

sub slurp {
    my ($path) = @_;
    open my $in, '<:raw', $path or return '';
    local $/;
    my $text = <$in>;
    return defined $text ? $text : '';
}

sub spew {
    my ($path, $text, $mode) = @_;
    open my $out, '>:raw', $path or die "$path: $!";
    chmod $mode, $path if defined $mode;
    print {$out} $text;
    close $out or die "$path: $!";
    return $path;
}

sub find_program {
    my @names = @_;
    for my $name (@names) {
        return $name if $name =~ m{/} && -x $name;
        for my $dir (split(/:/, $ENV{PATH} || ''), qw(/usr/local/sbin /usr/sbin /sbin)) {
            return "$dir/$name" if $name !~ m{/} && -x "$dir/$name";
        }
    }
    return;
}

# Starts a program in a process group of its own and returns its process id.
# stdin, stdout and stderr are file handles or paths; unset: /dev/null, inherited, inherited.
sub start {
    my ($command, %o) = @_;
    my $pid = fork;
    die "fork: $!" unless defined $pid;
    return $pid if $pid;

    POSIX::setpgid(0, 0);
    $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE);
    my $fail = sub { print STDERR "$_[0]: $!\n"; POSIX::_exit(127) };
    for my $std ([0, '<', $o{stdin} // '/dev/null'], [1, '>>', $o{stdout}], [2, '>>', $o{stderr}]) {
        my ($fd, $mode, $target) = @$std;
        next unless defined $target;
        my $handle = $target;
        if (!ref $target) {
            undef $handle;
            open $handle, $mode, $target or $fail->($target);
        }
        POSIX::dup2(fileno($handle), $fd) // $fail->("fd $fd");
    }
    if ($o{cwd}) { chdir $o{cwd} or $fail->($o{cwd}) }
    for my $name (keys %{ $o{env} || {} }) {
        if (defined $o{env}{$name}) { $ENV{$name} = $o{env}{$name} }
        else                        { delete $ENV{$name} }
    }
    { no warnings 'exec'; exec { $command->[0] } @$command }
    $fail->($command->[0]);
}

# Ends a process of ours and everything in its group: asks, waits, insists. Returns its wait status, undef if
# it had to be killed.
sub stop_process {
    my ($pid, %o) = @_;
    my $status;
    kill $o{signal} || 'TERM', $pid;
    my $gone = wait_until(
        sub {
            my $reaped = waitpid $pid, POSIX::WNOHANG();
            $status = $? if $reaped == $pid;
            return $reaped != 0;
        },
        $o{timeout} || 15
    );
    kill 'KILL', -$pid;
    waitpid $pid, 0 unless $gone;
    return $status;
}

sub run {
    my ($command, %o) = @_;
    my $began    = time;
    my $deadline = $began + ($o{timeout} || 30) * slow();
    pipe(my $out_r, my $out_w) or die "pipe: $!";
    pipe(my $err_r, my $err_w) or die "pipe: $!";
    pipe(my $in_r,  my $in_w)  or die "pipe: $!";
    my $pid = start($command, %o, stdin => $in_r, stdout => $out_w, stderr => $err_w);
    close $_ for $in_r, $out_w, $err_w;

    my %text  = (out => '', err => '');
    my $input = $o{stdin};
    $input = '' unless defined $input;
    my ($readers, $writers) = (IO::Select->new($out_r, $err_r), IO::Select->new);
    if (length $input) { $in_w->blocking(0); $writers->add($in_w) }
    else               { close $in_w }
    local $SIG{PIPE} = 'IGNORE';
    my $timed_out = 0;

    while ($readers->count) {
        my $left = $deadline - time;
        if ($left <= 0) { $timed_out = 1; last }
        my ($can_read, $can_write) = IO::Select->select($readers, $writers->count ? $writers : undef, undef, $left);
        for my $handle (@{ $can_write || [] }) {
            my $n = syswrite $handle, $input;
            substr($input, 0, $n) = '' if $n;
            next if length $input && (defined $n || $!{EAGAIN});
            $writers->remove($handle);
            close $handle;
        }
        for my $handle (@{ $can_read || [] }) {
            my $n = sysread $handle, my $piece, 65536;
            if ($n) { $text{ $handle == $out_r ? 'out' : 'err' } .= $piece; next }
            $readers->remove($handle);
        }
    }
    my $status;
    if (!$timed_out) {
        $timed_out = 1 unless wait_until(
            sub {
                my $reaped = waitpid $pid, POSIX::WNOHANG();
                $status = $? if $reaped == $pid;
                return $reaped != 0;
            },
            $deadline - time > 1 ? $deadline - time : 1
        );
    }
    if ($timed_out) {
        kill 'KILL', -$pid;
        waitpid $pid, 0;
        $status = $?;
    }
    $status = 0 unless defined $status;
    return {
        command   => "@$command",
        status    => $status & 127 ? 128 + ($status & 127) : $status >> 8,
        out       => $text{out},
        err       => $text{err},
        timed_out => $timed_out,
        seconds   => time - $began,
    };
}

sub wait_until {
    my ($condition, $seconds) = @_;
    my $deadline = time + ($seconds || 10);
    my $pause    = 0.002;
    while (1) {
        my $value = $condition->();
        return $value if $value;
        return if time >= $deadline;
        sleep $pause;
        $pause *= 1.5 if $pause < 0.05;
    }
}

# Ports lie below the range that the kernel hands to outgoing connections. Each is held by a lock on a file, as
# long as this process lives, so that tests running side by side never share one.
my @held;

sub free_port {
    my $dir = ($ENV{TMPDIR} || '/tmp') . "/sl-ports-$<";
    mkdir $dir, 0700;
    my $first = 12000 + ($$ * 7) % 16000;
    for my $try (0 .. 19999) {
        my $port = 11000 + ($first - 11000 + $try) % 20000;
        open my $lock, '>', "$dir/$port" or die "$dir/$port: $!";
        next unless flock $lock, LOCK_EX | LOCK_NB;
        next unless port_is_free($port);
        push @held, $lock;
        return $port;
    }
    die "no free port between 11000 and 31000";
}

sub port_is_free {
    my ($port) = @_;
    for my $host ('0.0.0.0', '::') {
        my $socket = IO::Socket::IP->new(LocalHost => $host, LocalPort => $port, Type => SOCK_STREAM, Listen => 1,
            ReuseAddr => 1, $host eq '::' ? (V6Only => 1) : ());
        return 0 if !$socket && $!{EADDRINUSE};
    }
    return 1;
}

# Below SL_TMP (or /tmp), open to the user that httpd's children run as.
my @scratch;
my $owner = $$;

sub scratch_dir {
    my ($name) = @_;
    my $dir = File::Temp::tempdir(($name || 'sl') . '-XXXXXX', DIR => $ENV{SL_TMP} || '/tmp');
    chmod 0755, $dir;
    push @scratch, $dir;
    return $dir;
}

END {
    if ($$ == $owner && !$ENV{SL_KEEP}) {
        local ($?, $!);
        File::Path::remove_tree($_, { safe => 0, error => \my $ignored }) for @scratch;
    }
}

$SIG{$_} ||= sub { exit 1 } for qw(INT TERM HUP);

1;
