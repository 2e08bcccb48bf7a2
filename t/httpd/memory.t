# What connections cost: an idle one holds little, whatever it did before, and more rounds of handshakes and requests cost
# nothing more.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Bodies qw(pattern);
use SL::Certs;
use SL::Client;
use SL::Command qw(run slurp slow wait_until);
use SL::Conf qw(tls_host);
use SL::Httpd;

plan skip_all => 'memory under a sanitizer says nothing about the module' if $ENV{SL_SAN};

my $cert  = SL::Certs->new->server('one.test', type => 'ecdsa');
my $httpd = SL::Httpd->new(env => { MALLOC_ARENA_MAX => 2 },
    mpm_settings => "StartServers 1\nServerLimit 1\nThreadsPerChild 4\nMaxRequestWorkers 4\nAsyncRequestWorkerFactor 200\n");
$httpd->config("Listen 127.0.0.1:\${port_https}\nKeepAliveTimeout 300\nMaxKeepAliveRequests 0\nMaxMemFree 64\n"
        . tls_host('one.test', $cert, 'SSLOptions +StdEnvVars +ExportCertData'));
$httpd->file('docs/one.test/small', 'small');
$httpd->file('docs/one.test/big',   pattern(200000));
$httpd->start_ok or BAIL_OUT('httpd does not start');
my $client  = SL::Client->new(port => $httpd->port('https'));
my $child = $httpd->serving_child;

sub memory { return slurp("/proc/$child/status") =~ /^RssAnon:\s+(\d+) kB/m ? $1 : 0 }    # kilobytes

sub asks {
    my ($stream, $path) = @_;
    $stream->send("GET $path HTTP/1.1\r\nHost: one.test\r\n\r\n");
    return ($stream->response || {})->{code} // 0;
}

# The same again and again leaves nothing behind: some rounds to warm up, then twenty more.
sub rounds {
    my ($name, $code, $most) = @_;
    $code->() for 1 .. 5;
    my $before = memory();
    $code->() for 1 .. 20;
    my $more = memory() - $before;
    return cmp_ok($more, '<', $most, "$name: twenty more rounds cost no memory") || diag "$before kB before";
}

my @urls = map {"https://one.test:$client->{port}/$_"} ('small', 'big') x 10;
my @curl = ('curl', '-sS', '--noproxy', '*', '--cacert', $client->cacert({}), '--resolve', "one.test:$client->{port}:127.0.0.1");
my $fetch = sub {
    my $r = run([@curl, @_, map { ('-o', '/dev/null', $_) } @urls]);
    is($r->{status}, 0, 'twenty requests') or diag $r->{err};
};
# A round makes twenty requests: what each left behind would show from 2.5 kB on.
rounds('requests on a connection', sub { $fetch->() }, 1000);
rounds('handshakes', sub { $fetch->('-H', 'Connection: close') }, 1000);

# A request must leave nothing on the connection that the next does not use again.
# Where all threads are busy for a moment httpd closes keep-alive connections: then anew.
my ($busy, $before, $first, $more);
for (1 .. 5) {
    $busy   = $client->tls('one.test');
    $first  = grep { asks($busy, '/small') == 200 } 1 .. 200;
    $before = memory();
    $more   = grep { asks($busy, '/small') == 200 } 1 .. 1000;
    last if $first == 200 && $more == 1000;
    $busy->close;
}
is($first, 200, 'one connection, 200 requests');
is($more, 1000, '... 1000 more');
cmp_ok(memory() - $before, '<', 300, '... cost nothing (300 bytes for each would show)');
$busy->close;

# Idle connections. Half of them had a body of 200 kB, and each the buffers for it: 16 KB and more each way.
my $idle = sub { my ($path) = @_; my $s = $client->tls('one.test'); asks($s, $path) == 200 or die "no answer\n"; return $s };
my @warm  = map { $idle->('/big') } 1 .. 20;
my $empty = memory();
my @small = map { $idle->('/small') } 1 .. 60;
my $one   = (memory() - $empty) / 60;
cmp_ok($one, '<', 70, 'an idle connection costs less than 70 kB') or diag "$one kB";
my $with_small = memory();
my @big   = map { $idle->('/big') } 1 .. 60;
my $other = (memory() - $with_small) / 60;
cmp_ok($other, '<', 70, '... one that had a big body too') or diag "$other kB";
cmp_ok($other - $one, '<', 8, '... which holds no buffers for it') or diag "$one kB, $other kB";
note "idle: $one kB after a small answer, $other kB after a big one";
$_->close for @warm, @small, @big;
is($client->curl('https://one.test/small')->{body}, 'small', 'it serves on');
is(join(' ', $httpd->children), $child, '... in the same process');
$httpd->stop;
done_testing;
