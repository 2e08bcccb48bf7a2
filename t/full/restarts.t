# Over SL_RESTARTS (200) graceful restarts of a server with everything in it nothing grows: memory, open files, mappings,
# shared memory, semaphores and processes; and no client under way fails.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use POSIX ();
use SL::Certs;
use SL::Client;
use SL::Command qw(slow slurp spew wait_until);
use SL::Conf qw(tls_host page);
use SL::Httpd;

my $count = $ENV{SL_RESTARTS} || 200;
my $certs = SL::Certs->new;
my $ecdsa = $certs->server('one.test', type => 'ecdsa');
my $rsa   = $certs->server('two.test', type => 'rsa');
my $ca    = $certs->ca('client-ca');

sub descriptors { my ($pid) = @_; return scalar(() = glob "/proc/$pid/fd/*") }
sub memory      { my ($pid) = @_; return slurp("/proc/$pid/status") =~ /^RssAnon:\s+(\d+) kB/m ? $1 : 0 }
sub mappings    { my ($pid) = @_; return scalar split /\n/, slurp("/proc/$pid/maps") }

# Pieces of System V memory, semaphores and queues that a process of this httpd made or used last.
sub shared {
    my ($httpd) = @_;
    my %own = map { $_ => 1 } $httpd->pid, $httpd->children, map { $httpd->helper($_) // () } qw(keeper courier);
    return scalar grep { my @f = split; $own{ $f[4] // '' } || $own{ $f[5] // '' } } map { split /\n/, slurp("/proc/sysvipc/$_") } qw(shm msg);
}

for my $mpm (qw(event prefork)) {
    my $httpd = SL::Httpd->new(mpm => $mpm, name => $mpm, modules => ['socache_shmcb', 'http2', 'status']);
    $httpd->file('conf/ticket.key', 'k' x 80);
    $httpd->config(<<"CONF" . tls_host('one.test', $ecdsa, 'SSLSessionTicketKeyFile conf/ticket.key', 'SSLClientHelloVars on')
Listen 127.0.0.1:\${port_https}
LogLevel warn
SSLSessionCache shmcb:\${root}/run/cache(512000)
SSLUseStapling on
SecureLayerStateDirectory \${root}/run/state
GracefulShutdownTimeout 10
KeepAliveTimeout 1
CONF
            . tls_host('two.test', $rsa, "SSLCACertificateFile $ca", 'SSLVerifyClient optional', 'SSLSessionTickets off'));
    page($httpd, 'one.test', 'two.test');
    $httpd->start_ok or next;
    my $stop = $httpd->root . '/stop';
    my @clients;
    for my $i (1, 2) {
        my $pid = fork // die "fork: $!";
        if (!$pid) {
            my $client = SL::Client->new(port => $httpd->port('https'));
            my ($served, @failed) = (0);
            until (-e $stop) {
                my $name = $served % 2 ? 'one.test' : 'two.test';
                my $r = $client->curl("https://$name/", args => [$i == 1 ? ('--tls-max', '1.2') : '--tlsv1.3']);
                if ($r->{body} eq "this is $name\n") { $served++ }
                else                                 { push @failed, $r->{err} }
            }
            spew($httpd->root . "/client$i", "$served\n@failed");
            POSIX::_exit(0);
        }
        push @clients, $pid;
    }
    my (@files, @memory, @maps, @shared);
    for my $n (1 .. $count) {
        last unless $httpd->restart;
        push @files,  descriptors($httpd->pid);
        push @memory, memory($httpd->pid);
        push @maps,   mappings($httpd->pid);
        push @shared, shared($httpd);
    }
    is(scalar @files, $count, "$mpm: $count graceful restarts come through");
    spew($stop, '');
    waitpid $_, 0 for @clients;
    for my $i (1, 2) {
        my ($served, $failed) = slurp($httpd->root . "/client$i") =~ /^(\d+)\n(.*)/s;
        cmp_ok($served, '>', $count / 4, "... client $i was served meanwhile");
        is($failed, '', '... and never failed');
    }
    my $early = $count / 4;
    is($files[-1], $files[$early], '... as many files are open in the parent as early on') or diag "@files";
    cmp_ok($maps[-1], '<=', $maps[$early] + 4, '... as many mappings') or diag "@maps";
    cmp_ok($shared[-1], '<=', $shared[$early], '... as much shared memory') or diag "@shared";
    # Settles in the first half; after it less than half a kilobyte each.
    cmp_ok($memory[-1] - $memory[ $count / 2 ], '<', $count / 4, '... its memory does not grow') or diag "@memory";
    note "$mpm: kB after a half and at the end: $memory[$count / 2] $memory[-1], files $files[-1], mappings $maps[-1]";
    ok(wait_until(sub { my @left = $httpd->children; @left <= ($mpm eq 'prefork' ? 8 : 2) }, 20 * slow()), '... the children before have left')
        or diag join ' ', $httpd->children;
    is(scalar(my @keepers = $httpd->children('sl-keeper')), 1, '... there is one keeper');
    $httpd->stop;
}
done_testing;
