# mod_http2: many streams on one connection, big bodies both ways at a time, streams that fail alone, and endings that are
# announced, over TLS 1.2 and 1.3.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Bodies qw(pattern digest digest_of scripts cgi_modules cgi_conf);
use SL::Certs;
use SL::Client;
use SL::Command qw(run start stop_process scratch_dir slurp spew slow wait_until find_program);
use SL::Conf qw(tls_host);
use SL::Httpd;

my $cert = SL::Certs->new->server('one.test', type => 'ecdsa', names => ['one.test', 'localhost']);
my @sizes = (0, 1, 100, 1299, 1300, 16383, 16384, 16385, 65536, 1000003);

sub start_httpd {
    my ($mpm, %o) = @_;
    my $httpd = SL::Httpd->new(mpm => $mpm, modules => ['http2', cgi_modules($mpm)], %o);
    $httpd->config(<<"CONF" . cgi_conf($mpm)
Listen 127.0.0.1:\${port_https}
Protocols h2 http/1.1
H2Direct on
SecureLayerHandshakeQueue 40
SetEnvIf Request_URI /cgi-bin/ ap_trust_cgilike_cl=1
CONF
        . tls_host('one.test', $cert, 'ServerAlias localhost'));
    $httpd->file("docs/one.test/$_", pattern($_)) for @sizes;
    scripts($httpd);
    $httpd->start_ok or BAIL_OUT('httpd does not start');
    return ($httpd, SL::Client->new(port => $httpd->port('https')));
}

# Many URLs in one run of curl, on one connection if they fit; returns codes, digests and how many connections it made.
sub parallel {
    my ($client, $args, @urls) = @_;
    my ($dir, $n, $port) = (scratch_dir('http2'), 0, $client->{port});
    my $r = run(['curl', '-sS', '--http2', '-Z', '--parallel-max', 80, '--noproxy', '*', '--max-time', 60 * slow(), '--cacert',
            $client->cacert({}), '--resolve', "one.test:$port:127.0.0.1", '-w', "%{filename_effective} %{http_code} %{num_connects} %{http_version}\n",
            @$args, map { ('-o', "$dir/" . $n++, "https://one.test:$port$_") } @urls], timeout => 90);
    my (@codes, %versions);
    my $connects = 0;
    while ($r->{out} =~ m{/(\d+) (\d+) (\d+) (\S+)}g) { $codes[$1] = $2; $connects += $3; $versions{$4}++ }
    $r->{err} =~ s{\A.*?(?=curl: )}{}s;
    substr($r->{err}, 300) = '' if length $r->{err} > 300;
    return { %$r, codes => \@codes, connects => $connects, versions => join(' ', keys %versions),
        digests => [map { digest_of(slurp("$dir/$_")) } 0 .. $#urls] };
}

sub streams {
    my ($client, $version) = @_;
    my @wanted = map { my $size = $_; ("/$size", "/cgi-bin/bytes.pl?$size") x 4 } @sizes;
    my $r = parallel($client, [$version eq '1.2' ? ('--tls-max', '1.2') : '--tlsv1.3'], @wanted);
    is($r->{versions}, 2, "TLS $version: HTTP/2") or diag $r->{err};
    is($r->{connects}, 1, '... ' . @wanted . ' streams on one connection');
    my @expected = map { digest(/(\d+)$/) } @wanted;
    is_deeply($r->{digests}, \@expected, '... each gets its own bytes');
    return;
}

sub load {
    my ($httpd) = @_;
    my $h2load = find_program('h2load') or return fail('h2load is not installed');
    my $r = run([$h2load, '-n', 3000, '-c', 6, '-m', 40, 'https://localhost:' . $httpd->port('https') . '/1300'], timeout => 60);
    like($r->{out}, qr/3000 succeeded, 0 failed, 0 errored, 0 timeout/, '3000 requests of 240 streams') or diag $r->{out}, $r->{err};
    return;
}

# Up and down at the same time on one connection.
sub both_ways {
    my ($client) = @_;
    my ($size, $dir) = (6 << 20, scratch_dir('http2'));
    spew("$dir/body", pattern($size));
    my $port = $client->{port};
    my @up   = map { ('-T', "$dir/body", '-o', "$dir/up$_", "https://one.test:$port/cgi-bin/digest.pl") } 1 .. 3;
    my @down = map { ('-o', "$dir/down$_", "https://one.test:$port/cgi-bin/bytes.pl?$size") } 1 .. 3;
    my $r = run(['curl', '-sS', '--http2', '-Z', '--noproxy', '*', '--max-time', 90 * slow(), '--cacert', $client->cacert({}),
            '--resolve', "one.test:$port:127.0.0.1", @up, '--next', '-sS', '--http2', '--noproxy', '*', '--cacert', $client->cacert({}),
            '--resolve', "one.test:$port:127.0.0.1", @down], timeout => 100);
    is(slurp("$dir/up$_"), digest($size), "big body $_ arrives") or diag $r->{err} for 1 .. 3;
    is(digest_of(slurp("$dir/down$_")), digest($size), "big body $_ comes") for 1 .. 3;
    return;
}

sub failing_streams {
    my ($client) = @_;
    my $r = parallel($client, [], '/1000003', '/none', '/cgi-bin/bytes.pl?3000,length=900000', '/1000003');
    is($r->{codes}[1], 404, 'a stream may be refused');
    is_deeply([@{ $r->{digests} }[0, 3]], [(digest(1000003)) x 2], '... another may break off: the others on the connection are whole');
    is($r->{connects}, 1, '... and it is one connection');
    return;
}

# A stream that is under way when the server restarts gracefully is finished, and the client told to go.
sub goaway {
    my ($httpd) = @_;
    my $nghttp = find_program('nghttp') or return fail('nghttp is not installed');
    my $out = scratch_dir('http2') . '/nghttp';
    my $pid = start([$nghttp, '-v', '--no-dep', 'https://localhost:' . $httpd->port('https') . '/cgi-bin/steps.pl?go,2'],
        stdout => $out, stderr => $out);
    ok(wait_until(sub { slurp($out) =~ /step 1/ }, 10 * slow()), 'a stream is under way');
    ok($httpd->restart, '... when the server restarts');
    spew($httpd->root . '/work/go.1', '');
    ok(wait_until(sub { slurp($out) =~ /step 2/ }, 10 * slow()), '... it is finished');
    ok(wait_until(sub { slurp($out) =~ /recv GOAWAY/ }, 10 * slow()), '... with GOAWAY');
    stop_process($pid, timeout => 5);
    return;
}

my $preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . "\0\0\0\4\0\0\0\0\0";    # with empty SETTINGS

sub by_hand {
    my ($client) = @_;
    my $stream = $client->tls('one.test');
    $stream->send($preface);
    like($stream->read_bytes(9) // '', qr/^\x00\x00.\x04\x00/s, 'H2Direct: the server sees the preface');
    $stream->close;
    $stream = $client->tls('one.test', sni => '');
    $stream->send("GET /1 HTTP/1.0\r\n\r\n");
    like($stream->read_to_end, qr/\r\n\r\nx$/, '... and a request that is shorter than the preface');
    my $r = $client->curl('https://one.test/100', args => ['-H', 'Connection: Upgrade, HTTP2-Settings', '-H', 'Upgrade: h2c',
            '-H', 'HTTP2-Settings: AAMAAABkAAQAAP__']);
    is($r->{code}, 200, 'a request to upgrade');
    is(digest_of($r->{body}), digest(100), '... is answered as it is');
    is($r->{headers}{upgrade}, undef, '... nothing is switched or offered');
    return;
}

# More idle HTTP/2 connections than threads.
sub idle {
    my ($client) = @_;
    my @idle = map { $client->tls('one.test', args => ['-alpn', 'h2']) } 1 .. 12;
    $_->send($preface) for @idle;
    is(scalar(grep { ($_->read_bytes(9) // '') =~ /^\x00\x00.\x04\x00/s } @idle), 12, 'twelve connections on four threads');
    is(parallel($client, [], '/1000003')->{digests}[0], digest(1000003), '... others are served');
    is($client->curl('https://one.test/100')->{code}, 200, '... over HTTP/1.1 too');
    $_->close for @idle;
    return;
}

for my $mpm (qw(event worker)) {
    my ($httpd, $client) = start_httpd($mpm);
    subtest "$mpm: streams, TLS $_", sub { my $version = $_; streams($client, $version) } for '1.2', '1.3';
    subtest "$mpm: load",            sub { load($httpd) };
    subtest "$mpm: both ways",       sub { both_ways($client) };
    subtest "$mpm: failing streams", sub { failing_streams($client) };
    subtest "$mpm: by hand",         sub { by_hand($client) };
    subtest "$mpm: GOAWAY",          sub { goaway($httpd) } unless $httpd->{single};
    $httpd->stop;
}
my ($httpd, $client) = start_httpd('event',
    mpm_settings => "StartServers 1\nThreadsPerChild 4\nMaxRequestWorkers 4\nServerLimit 1\nAsyncRequestWorkerFactor 10\n");
subtest 'event: idle', sub { idle($client) };
$httpd->stop;
done_testing;
