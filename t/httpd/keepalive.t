# Idle keep-alive connections on the event MPM take no thread, whatever they did before, and are as good as new when the
# client speaks again; they end with close_notify.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Time::HiRes qw(time);
use SL::Bodies qw(digest_of digest pattern scripts cgi_modules cgi_conf);
use SL::Certs;
use SL::Client;
use SL::Command qw(slow slurp wait_until);
use SL::Conf qw(tls_host);
use SL::Httpd;
use SL::Relay;

my $cert = SL::Certs->new->server('one.test', type => 'ecdsa');

sub start {
    my ($mpm, %o) = @_;
    my $httpd = SL::Httpd->new(mpm => $mpm, modules => [cgi_modules($mpm)],
        $mpm eq 'event' ? (mpm_settings => "StartServers 1\nThreadsPerChild 4\nMaxRequestWorkers 4\nServerLimit 1\nAsyncRequestWorkerFactor 20\n") : ());
    $httpd->config("Listen 127.0.0.1:\${port_https}\nMaxKeepAliveRequests 0\n" . cgi_conf($mpm)
            . tls_host('one.test', $cert, 'KeepAliveTimeout ' . ($o{keep} || 60)));
    $httpd->file('docs/one.test/index.html', "this is one.test\n");
    scripts($httpd);
    $httpd->start_ok or BAIL_OUT('httpd does not start');
    return ($httpd, SL::Client->new(port => $httpd->port('https')));
}

my $get = "GET / HTTP/1.1\r\nHost: one.test\r\n\r\n";

sub answered { my ($stream) = @_; my $r = $stream->response; return $r && $r->{body} eq "this is one.test\n" }

# Twenty connections on four threads, each left in another state.
sub idle {
    my ($httpd, $client) = @_;
    my %before = (
        'a handshake, TLS 1.2' => [],
        'a request'            => [$get],
        'a request, TLS 1.2'   => [$get],
        'three requests'       => [$get x 3],
        'a request and blank lines' => ["$get\r\n\r\n"],
        'a body'               => ["POST /cgi-bin/digest.pl HTTP/1.1\r\nHost: one.test\r\nContent-Length: 70000\r\n\r\n" . pattern(70000)],
        'a refused request'    => ["GET /none HTTP/1.1\r\nHost: one.test\r\n\r\n"],
        'HEAD'                 => ["HEAD / HTTP/1.1\r\nHost: one.test\r\n\r\n"],
        'key updates'          => [$get],
        'a request and key updates' => [$get],
    );
    my @idle;
    for my $name (sort keys %before) {
        for my $n (1, 2) {
            my $updates = $name =~ /update/;
            my $stream = $client->tls('one.test', args => [$name =~ /1\.2/ ? '-tls1_2' : '-tls1_3'], commands => $updates);
            $stream->send($_) for @{ $before{$name} };
            if    ($name =~ /three/) { $stream->response for 1 .. 3 }
            elsif ($name =~ /HEAD/)  { $stream->read_until(qr/\r\n\r\n/) }
            elsif ($updates)         { $stream->read_until(qr/this is one\.test\n/) }
            elsif (@{ $before{$name} }) { $stream->response }
            if ($updates) {
                $stream->send("K\n");
                ok(wait_until(sub { slurp($stream->{log}) =~ /KEYUPDATE/ }, 5 * slow()), 'the client updates the keys');
            }
            push @idle, [$name, $stream];
        }
    }
    my $served = grep { $client->curl('https://one.test/')->{code} == 200 } 1 .. 10;
    is($served, 10, 'others are served');
    for my $case (@idle) {
        my ($name, $stream) = @$case;
        $stream->read_until(qr/\n---\n(?!.*\n---\n)/s, 0.1) if $name =~ /update/;
        $stream->send($get);
        ok($name =~ /update/ ? $stream->read_until(qr/\r\n\r\nthis is one\.test\n/) : answered($stream), "after $name: as good as new");
        $stream->close;
    }
    return;
}

# A record that comes in two parts, with nothing between them.
sub split_record {
    my ($httpd, $client) = @_;
    my $relay  = SL::Relay->new(to => $httpd->port('https'), up_piece => 7);
    my $stream = SL::Client->new(port => $relay->port)->tls('one.test');
    $stream->send($get);
    ok(answered($stream), 'records in packets of 7 bytes');
    $stream->send($get x 5);
    is(scalar(grep { answered($stream) } 1 .. 5), 5, '... several requests at a time');
    $stream->close;
    $relay->stop;
    return;
}

# Half a record is no request: it takes no thread, neither behind the handshake nor later.
sub half_records {
    my ($httpd, $client, $before) = @_;
    my @relays  = map { SL::Relay->new(to => $httpd->port('https')) } 1 .. 6;
    my @streams = map { SL::Client->new(port => $_->port)->tls('one.test', timeout => 20) } @relays;
    ok(wait_until(sub { 6 == grep { slurp($_->{log}) =~ /depth=0.*\nverify return:1/ } @streams }, 10 * slow()), 'six clients');
    for my $stream ($before ? @streams : ()) {
        $stream->send($get);
        answered($stream);
    }
    my @sent = map { length $_->bytes(1, 'up') } @relays;
    $_->halve for @relays;
    # One after the other: without a free thread httpd closes keep-alive connections.
    my ($halves, $served) = (0, 0);
    for my $i (0 .. 5) {
        $streams[$i]->send($get);
        $halves++ if wait_until(sub { length($relays[$i]->bytes(1, 'up')) > $sent[$i] }, 5 * slow());
        $served += grep { $client->curl('https://one.test/')->{code} == 200 } 1, 2;
    }
    is($halves, 6, '... send half a record');
    is($served, 12, '... on four threads: others are served');
    is(scalar(grep { $relays[$_]->release; answered($streams[$_]) } 0 .. 5), 6, '... so are they when the rest comes');
    $_->close for @streams;
    $_->stop  for @relays;
    return;
}

sub timeout {
    my ($httpd, $mpm) = @_;
    my $relay  = SL::Relay->new(to => $httpd->port('https'));
    my $client = SL::Client->new(port => $relay->port);
    my $stream = $client->tls('one.test', args => ['-tls1_2']);
    $stream->send($get);
    ok(answered($stream), "$mpm: a request");
    my $began = time;
    ok(defined $stream->read_to_end(10), '... when its time is over the connection ends');
    cmp_ok(time - $began, '>', 0.7, '... not before');
    is(($relay->records(1, 'down'))[-1]{type}, 21, '... with close_notify');
    $stream = $client->tls('one.test', args => ['-tls1_2']);
    $stream->send($get);
    ok(answered($stream), '... another');
    ok($httpd->restart, '... a graceful restart') unless $httpd->{single};
    ok(defined $stream->read_to_end(10), '... ends it') unless $httpd->{single};
    is(($relay->records(2, 'down'))[-1]{type}, 21, '... with close_notify') unless $httpd->{single};
    $relay->stop;
    return;
}

my ($httpd, $client) = start('event');
subtest 'idle connections',  sub { idle($httpd, $client) };
subtest 'records in pieces', sub { split_record($httpd, $client) };
subtest "half records, $_ before", sub { half_records($httpd, $client, $_) } for 0, 1;
$httpd->stop;
for my $mpm (qw(event worker prefork)) {
    ($httpd, $client) = start($mpm, keep => 1);
    subtest "$mpm: keep-alive time-out", sub { timeout($httpd, $mpm) };
    $httpd->stop;
}
done_testing;
