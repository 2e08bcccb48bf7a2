# TLS in front of mod_proxy, and with its backends: bodies both ways, tunnels (Upgrade by mod_proxy_http and mod_proxy_wstunnel, CONNECT) in which
# every byte goes through at once and each side can end it, and backends that break off.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use POSIX ();
use Test::More;
use SL::Backend;
use SL::Bodies qw(pattern digest digest_of scripts cgi_modules cgi_conf);
use SL::Certs;
use SL::Client;
use SL::Command qw(scratch_dir spew slow wait_until);
use SL::Conf qw(tls_host);
use SL::Httpd;

my $cert    = SL::Certs->new->server('one.test', type => 'ecdsa');
my $backend = SL::Backend->new;

my $origin = SL::Httpd->new(tls => 'none', modules => ['cgid'], name => 'origin');
$origin->config("Listen 127.0.0.1:\${port_http}\nSetEnvIf Request_URI /cgi-bin/ ap_trust_cgilike_cl=1\n" . cgi_conf('event'));
$origin->file('docs/file', pattern(3000001));
scripts($origin);
$origin->start_ok or BAIL_OUT('the origin does not start');

# The same backends behind TLS.
my $middle_cert = SL::Certs->new->server('middle.test', names => ['IP:127.0.0.1']);
my $middle = SL::Httpd->new(modules => [qw(proxy proxy_http proxy_wstunnel)], name => 'middle');
$middle->config(<<"CONF" . tls_host('middle.test', $middle_cert));
ReceiveBufferSize 262144
SendBufferSize 262144
Listen 127.0.0.1:\${port_https}
ProxyPass /origin/ http://127.0.0.1:${\ $origin->port('http') }/
ProxyPass /short http://127.0.0.1:${\ $backend->port }/short
ProxyPass /http/ http://127.0.0.1:${\ $backend->port }/ upgrade=ANY
ProxyPass /ws/ ws://127.0.0.1:${\ $backend->port }/
CONF
$middle->start_ok or BAIL_OUT('the TLS backend does not start');

sub start_proxy {
    my ($mpm) = @_;
    my $httpd = SL::Httpd->new(mpm => $mpm, modules => [qw(proxy proxy_http proxy_connect proxy_wstunnel)]);
    my $to = 'http://127.0.0.1:' . $origin->port('http');
    my $ws = '127.0.0.1:' . $backend->port;
    my $tls = '127.0.0.1:' . $middle->port('https');
    $httpd->config(<<"CONF" . tls_host('one.test', $cert));
ReceiveBufferSize 262144
SendBufferSize 262144
Listen 127.0.0.1:\${port_https}
ProxyRequests On
AllowCONNECT ${\ $backend->port }
ProxyPass /origin/ $to/
ProxyPass /short http://$ws/short
ProxyPass /http/ http://$ws/ upgrade=ANY
ProxyPass /ws/ ws://$ws/
SSLProxyEngine on
SSLProxyVerify require
SSLProxyCACertificateFile ${\ SL::Certs->new->ca('ca') }
ProxyPass /tls/http/ https://$tls/http/ upgrade=ANY
ProxyPass /tls/ws/ wss://$tls/ws/
ProxyPass /tls/ https://$tls/
CONF
    $httpd->start_ok or BAIL_OUT('httpd does not start');
    return ($httpd, SL::Client->new(port => $httpd->port('https')));
}

sub bodies {
    my ($client, $way) = @_;
    my $dir = scratch_dir('proxy');
    is(digest_of($client->curl("https://one.test$way/origin/file")->{body}), digest(3000001), 'a file comes through');
    is(digest_of($client->curl("https://one.test$way/origin/cgi-bin/bytes.pl?5000000")->{body}), digest(5000000), '... a program\'s output');
    spew("$dir/body", pattern(4000000));
    is($client->curl("https://one.test$way/origin/cgi-bin/digest.pl", args => ['-T', "$dir/body"])->{body}, digest(4000000), '... a body');
    is($client->curl("https://one.test$way/origin/cgi-bin/digest.pl", args => ['-T', "$dir/body", '-H', 'Transfer-Encoding: chunked'])->{body},
        digest(4000000), '... in chunks');
    my $stream = $client->tls('one.test');
    $stream->send("GET $way/origin/cgi-bin/steps.pl?p,3 HTTP/1.1\r\nHost: one.test\r\n\r\n");
    for my $step (1 .. 3) {
        ok($stream->read_until(qr/step $step\n/), "... what a program has flushed, step $step");
        spew($origin->root . "/work/p.$step", '');
    }
    $stream->close;
    unlink glob $origin->root . '/work/p.*';
    my $r = $client->curl("https://one.test$way/short");
    is($r->{status}, 18, 'a backend breaks off: the client learns it');
    return;
}

sub switch {
    my ($client, $path, %o) = @_;
    my $stream = $client->tls('one.test', timeout => 20, %o);
    $stream->send("GET $path HTTP/1.1\r\nHost: one.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        . "Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\nSec-WebSocket-Version: 13\r\n\r\n");
    like($stream->read_until(qr/\r\n\r\n/) // '', qr{^HTTP/1.1 101 }, "$path: the protocol is switched");
    return $stream;
}

# Runs the first in another process beside the second.
sub in_background {
    my ($sender, $reader) = @_;
    my $pid = fork // die "fork: $!";
    if (!$pid) { eval { $sender->() }; POSIX::_exit(0) }
    $reader->();
    waitpid $pid, 0;
    return;
}

# Both ways through, as a stream whose other end sends everything back.
sub echoes {
    my ($stream) = @_;
    my $right = 0;
    for my $n (1 .. 50) {
        $stream->send("message $n\n");
        $right++ if ($stream->read_until(qr/\n/) // '') eq "message $n\n";
    }
    is($right, 50, '... each message comes back at once');
    for my $size (1, 16384, 16385, 40000) {
        $stream->send(pattern($size));
        is(digest_of($stream->read_bytes($size) // ''), digest($size), "... $size bytes do");
    }
    # Many at a time: by another process, as nobody reads meanwhile.
    my $size = 3000000;
    in_background(sub { $stream->send(pattern($size)) },
        sub { is(digest_of($stream->read_bytes($size, 40) // ''), digest($size), "... $size bytes do") });
    return;
}

sub tunnels {
    my ($client, $prefix) = @_;
    my $stream = switch($client, "$prefix/echo");
    echoes($stream);
    my $ended = () = $backend->endings =~ /echo/g;
    $stream->close;
    ok(wait_until(sub { $ended < (() = $backend->endings =~ /echo: end/g) }, 10 * slow()), '... the client ends it: the backend sees it');

    $stream = switch($client, "$prefix/greet");
    is(digest_of($stream->read_bytes(300000) // ''), digest_of('G' x 300000), '... the backend speaks first');
    $stream->send("answer\n");
    is($stream->read_bytes(7), "answer\n", '... and listens');
    $stream->close;

    $stream = switch($client, "$prefix/bye");
    is($stream->read_to_end, 'bye', '... the backend ends it: the client sees it');

    # The backend reads nothing until all buffers on the way are full: nothing may stay in our filters when the way is
    # free again.
    my $size = 24 << 20;
    my $progress = scratch_dir('proxy') . '/progress';
    $stream = switch($client, "$prefix/sink/$size");
    in_background(
        sub {
            open my $file, '>>', $progress or die $!;
            my $body = pattern($size);
            while (length $body) { $stream->send(substr $body, 0, 65536, ''); syswrite $file, '.' }
        },
        sub {
            my ($length, $same) = (0, 0);
            ok(wait_until(
                sub {
                    my $now = -s $progress || 0;
                    $same = $now == $length && $now ? $same + 1 : 0;
                    $length = $now;
                    return $same > 10;
                }, 20 * slow()), '... a backend does not read');
            cmp_ok($length << 16, '<', $size, '... its client has to wait');
            $backend->go;
            is($stream->read_until(qr/\n/, 30), digest($size) . "\n", '... then it gets everything');
        });
    $stream->close;
    unlink "$backend->{dir}/go";
    return;
}

sub connect_tunnel {
    my ($client) = @_;
    my $stream = $client->tls('one.test', timeout => 20);
    my $to = '127.0.0.1:' . $backend->port;
    $stream->send("CONNECT $to HTTP/1.1\r\nHost: $to\r\n\r\n");
    like($stream->read_until(qr/\r\n\r\n/) // '', qr{^HTTP/1.[01] 200 }, 'CONNECT');
    echoes($stream);
    $stream->close;
    return;
}

for my $mpm (qw(event worker prefork)) {
    my ($httpd, $client) = start_proxy($mpm);
    subtest "$mpm: bodies by $_/", sub { bodies($client, $_) } for '', '/tls';
    subtest "$mpm: tunnels of $_", sub { tunnels($client, $_) } for '/http', '/ws', $mpm eq 'worker' ? () : ('/tls/http', '/tls/ws');
    subtest "$mpm: CONNECT", sub { connect_tunnel($client) };
    is($client->curl('https://one.test/origin/file')->{code}, 200, "$mpm: it still serves");
    $httpd->stop;
}
$middle->stop;
$origin->stop;
done_testing;
