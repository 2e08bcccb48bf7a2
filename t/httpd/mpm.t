# Restarts and ends of httpd and its children on each MPM: no client notices a graceful restart, nothing grows over
# restarts and children, and who waits in a child that retires is served or let go.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use POSIX ();
use SL::Between;
use SL::Certs;
use SL::Client;
use SL::Command qw(run slow slurp spew wait_until);
use SL::Conf qw(tls_host page);
use SL::Httpd;

plan skip_all => 'one process cannot be restarted gracefully' if ($ENV{SL_SAN} || '') eq 'tsan';

# Other programs make shared memory and semaphores too: what is counted at the end are those of an IPC namespace of our own.
if (!$ENV{SL_OWN_IPC} && run(['unshare', '--ipc', 'true'])->{status} == 0) {
    local $ENV{SL_OWN_IPC} = 1;
    exec 'unshare', '--ipc', $^X, $0, @ARGV or die "unshare: $!";
}

my $cert = SL::Certs->new->server('one.test', type => 'ecdsa');
my $get  = "GET / HTTP/1.1\r\nHost: one.test\r\n\r\n";

sub httpd {
    my ($mpm, $more, %o) = @_;
    my $httpd = SL::Httpd->new(mpm => $mpm, name => $o{name} || $mpm, %o);
    $httpd->config("Listen 127.0.0.1:\${port_https}\nKeepAliveTimeout " . ($mpm eq 'event' ? 60 : 1) . "\nGracefulShutdownTimeout 20\n"
            . ($more || '') . tls_host('one.test', $cert));
    page($httpd, 'one.test');
    $httpd->start_ok or BAIL_OUT('httpd does not start');
    # The file with its process id is there before it minds signals.
    $httpd->wait_for_log(qr/resuming normal operations/, 20) or BAIL_OUT('httpd does not come up');
    return ($httpd, SL::Client->new(port => $httpd->port('https')));
}

# A client in a process of its own that connects anew again and again, until the file `stop` is there. Returns where it
# writes what failed, and how often it was served.
sub clients {
    my ($httpd, $n) = @_;
    my $stop = $httpd->root . '/stop';
    my @pids;
    for my $i (1 .. $n) {
        my $pid = fork;
        die "fork: $!" unless defined $pid;
        if (!$pid) {
            my $client = SL::Client->new(port => $httpd->port('https'));
            my ($served, @failed) = (0);
            until (-e $stop || $served > 5000) {
                my $r = $client->curl('https://one.test/', args => [$i % 2 ? ('--tls-max', '1.2') : '--tlsv1.3']);
                if ($r->{body} eq "this is one.test\n") { $served++ }
                else                                    { push @failed, $r->{err} }
            }
            spew($httpd->root . "/client$i", "$served\n@failed");
            POSIX::_exit(0);
        }
        push @pids, $pid;
    }
    return sub {
        spew($stop, '');
        waitpid $_, 0 for @pids;
        unlink $stop;
        my ($served, $failed) = (0, '');
        for my $i (1 .. $n) {
            my ($count, $errors) = slurp($httpd->root . "/client$i") =~ /^(\d+)\n(.*)/s;
            $served += $count // 0;
            $failed .= $errors // "client $i did not end well";
        }
        return ($served, $failed);
    };
}

sub descriptors { my ($pid) = @_; return scalar(() = glob "/proc/$pid/fd/*") }
sub memory      { my ($pid) = @_; return slurp("/proc/$pid/status") =~ /^RssAnon:\s+(\d+) kB/m ? $1 : 0 }

# How many pieces of shared memory, semaphores and queues there are.
sub shared { return join ' ', map { scalar(my @lines = split /\n/, slurp("/proc/sysvipc/$_")) } qw(shm sem msg) }

sub many_restarts {
    my ($mpm, $count) = @_;
    my ($httpd) = httpd($mpm);
    my $finish = clients($httpd, 2);
    my (@files, @memory);
    for my $n (1 .. $count) {
        last unless $httpd->restart;
        push @files,  descriptors($httpd->pid);
        push @memory, memory($httpd->pid);
    }
    is(scalar @files, $count, "$mpm: $count graceful restarts come through");
    my ($served, $failed) = $finish->();
    cmp_ok($served, '>', $count / 4, '... clients are served meanwhile');
    is($failed, '', '... and none fails');
    is($files[-1], $files[2], '... as many files are open in the parent as after the third') or diag "@files";
    # A module that is not unloaded, or its settings, would cost more each time.
    cmp_ok($memory[-1] - $memory[ $count / 2 ], '<', 10 * $count * ($ENV{SL_SAN} ? 100 : 1), '... its memory does not grow')
        or diag "@memory";
    ok(wait_until(sub { my @left = $httpd->children; @left <= ($mpm eq 'prefork' ? 8 : 2) }, 20 * slow()), '... the children before have left')
        or diag join ' ', $httpd->children;
    $httpd->stop;
    return;
}

# A client in the midst of its handshake and one that has asked already: with the server's end by `signal`.
sub waiting {
    my ($mpm, $signal) = @_;
    my ($httpd, $client) = httpd($mpm, '', name => "$mpm, $signal");
    my $gate = SL::Between->new(port => $httpd->port('https'));
    my $half = $client->tls('one.test', port => $gate->port);
    $gate->join->pump(until => sub { length $gate->seen('client') > 200 });
    ok($gate->pump(from => 'server', until => sub { length $gate->seen('server') > 500 }), "$mpm, $signal: one client is in its handshake");
    my $idle = $client->tls('one.test');
    $idle->send($get);
    is(($idle->response || {})->{code}, 200, '... another keeps its connection');
    if ($signal eq 'restart') { ok($httpd->restart, '... a graceful restart') }
    else                      { kill $signal, $httpd->pid }
    if ($signal eq 'restart') {
        is($client->curl('https://one.test/')->{code}, 200, '... new clients are served');
    }
    if ($signal ne 'TERM') {
        $half->send("GET / HTTP/1.1\r\nHost: one.test\r\nConnection: close\r\n\r\n");
        $gate->pump(until => sub { $half->ended(0.001); $half->pending =~ /this is one/ });
        like($half->pending, qr/this is one\.test/, '... the handshake goes on, its request is served');
    }
    # Where a thread waits for the next request that takes the keep-alive time, on event it does not.
    ok(defined $idle->read_to_end(20), '... the idle one is let go');
    $_->close for $gate, $half, $idle;
    if ($signal ne 'restart') {
        ok(wait_until(sub { waitpid($httpd->pid, POSIX::WNOHANG()) }, 20 * slow()), '... httpd ends');
        is($?, 0, '... well');
        is(join("\n", $httpd->crashes), '', '... nothing crashed');
        delete @$httpd{qw(pid child)};
        return;
    }
    $httpd->stop;
    return;
}

# Children that serve few connections each.
sub retiring {
    my ($mpm) = @_;
    my ($httpd, $client) = httpd($mpm, "MaxConnectionsPerChild 8\n", name => "$mpm, short lives");
    my %first = map { $_ => 1 } $httpd->children;
    my $gate  = SL::Between->new(port => $httpd->port('https'));
    my $half  = $client->tls('one.test', port => $gate->port);
    $gate->join->pump(until => sub { length $gate->seen('client') > 200 });
    $gate->pump(from => 'server', until => sub { length $gate->seen('server') > 500 });
    is(scalar(grep { $client->curl('https://one.test/')->{body} eq "this is one.test\n" } 1 .. 40), 40, "$mpm: 40 clients, 8 for each child");
    ok(wait_until(sub { scalar grep { !$first{$_} } $httpd->children }, 10 * slow()), '... of several children');
    $half->send($get);
    $gate->pump(until => sub { $half->ended(0.001); $half->pending =~ /this is one/ });
    like($half->pending, qr/this is one\.test/, '... a handshake in one that retires goes on');
    $_->close for $gate, $half;
    $httpd->stop;
    return;
}

my $before = shared();
many_restarts('event', $ENV{SL_SAN} ? 10 : 30);
many_restarts($_, $ENV{SL_SAN} ? 5 : 10) for qw(worker prefork);
for my $mpm (qw(event worker prefork)) {
    waiting($mpm, $_) for 'restart', 'WINCH', 'TERM';
    retiring($mpm);
}
SKIP: {
    skip 'only with an IPC namespace of its own', 1 unless $ENV{SL_OWN_IPC};
    is(shared(), $before, 'no shared memory or semaphore is left') or diag slurp('/proc/sysvipc/shm'), slurp('/proc/sysvipc/sem');
}
done_testing;
