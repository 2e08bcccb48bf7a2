# Whoever speaks plain HTTP to a TLS port gets a 400 page that leads to the https address; other garbage is closed and logged.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Certs;
use SL::Client;
use SL::Conf qw(tls_host page);
use SL::Httpd;
use SL::Parity;

my $cert = SL::Certs->new->server('one.test', type => 'ecdsa');

sub start {
    my ($mpm, @lines) = @_;
    my $httpd = SL::Httpd->new(mpm => $mpm, name => $mpm);
    $httpd->config(join '', "Listen 127.0.0.1:\${port_https}\nListen [::1]:\${port_https}\n", @lines, tls_host('one.test', $cert));
    page($httpd, 'one.test');
    $httpd->start_ok or BAIL_OUT('httpd does not start');
    return $httpd;
}

# One request over TCP: the response (undef if none), which must be the end of the connection.
sub say {
    my ($httpd, $bytes, %o) = @_;
    my $raw = SL::Client->new(port => $httpd->port('https'), %o)->raw;
    $o{piece} ? $raw->send_in_pieces($bytes, $o{piece}) : $raw->send($bytes);
    my $all = $raw->read_to_end // return { open => 1 };
    my ($head, $body) = split /\r\n\r\n/, $all, 2;
    $head //= '';
    my ($code) = $head =~ m{^HTTP/1\.[01] (\d+)} or return { raw => $all };
    my ($link) = ($body // '') =~ m{<a href="([^"]*)">};
    return { code => $code, head => $head, body => $body // '', link => $link };
}

for my $mpm (qw(event worker prefork)) {
    my $httpd = start($mpm);
    my $port  = $httpd->port('https');
    for my $method (qw(GET HEAD POST PUT DELETE OPTIONS PATCH TRACE PROPFIND M-SEARCH BREW X)) {
        my $r = say($httpd, "$method /some/page?x=1 HTTP/1.1\r\nHost: one.test\r\nContent-Length: 0\r\n\r\n");
        is($r->{code}, 400, "$mpm: $method gets 400") or diag explain $r;
        is($r->{link} // '', $method eq 'HEAD' ? '' : "https://one.test:$port/", '... a link to the https address') or diag explain $r;
        like($r->{head}, qr/^Connection: close/mi, '... and the end of the connection');
        ok($httpd->wait_for_access(qr{^one\.test 400 "\Q$method\E /some/page\?x=1 HTTP/1\.1"$}m), '... and its own line in the access log');
    }
    my $r = say($httpd, "GET /later HTTP/1.1\r\nHost: one.test\r\n\r\nGET /second HTTP/1.1\r\nHost: one.test\r\n\r\n");
    is($r->{code}, 400, "$mpm: two requests in one: 400");
    unlike($r->{body}, qr{HTTP/1\.1}, '... for the first alone');
    $r = say($httpd, "GET /drips HTTP/1.1\r\nHost: one.test\r\n\r\n", piece => 1);
    is($r->{code}, 400, "$mpm: a request byte by byte") or diag explain $r;
    ok($httpd->wait_for_access(qr{^one\.test 400 "GET /drips HTTP/1\.1"$}m), '... is logged whole');
    like($httpd->error_log, qr/SL0103: plain HTTP on a port for TLS/, '... and the error log says why');
    for my $garbage (["\0\0\0\0hello\r\n", 'zeros'], ["hello world\r\n", 'small letters'], ["\x03\x00\x00\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\x03\0\0\0", 'a hello of RDP'],
        ["SSH-2.0-OpenSSH_9.2p1\r\n", 'SSH'], ["\x16\x03\x01\x00\x05\x02\0\0\1\0", 'a handshake that is no hello']) {
        my $r = say($httpd, $garbage->[0]);
        ok(!$r->{code} && !$r->{open}, "$mpm: $garbage->[1]: no answer, but the end");
    }
    is(SL::Client->new(port => $port)->curl('https://one.test/')->{code}, 200, "$mpm: TLS is served as ever");
    $httpd->stop;
}

my $httpd = start('event', "HttpProtocolOptions Unsafe\n");
my $port  = $httpd->port('https');

# Versions
for my $version (['HTTP/1.0', "\r\n\r\n"], ['HTTP/1.1', "\r\nHost: one.test\r\n\r\n"], ['HTTP/2.0', "\r\nHost: one.test\r\n\r\n"]) {
    my $r = say($httpd, "GET /old $version->[0]$version->[1]");
    is($r->{code}, 400, "$version->[0]: 400") or diag explain $r;
}
my $r = say($httpd, "GET / HTTP/1.0\r\n\r\n");
is($r->{link}, "https://one.test:$port/", 'without a Host the link leads to ServerName');
$r = say($httpd, "\r\nGET / HTTP/1.1\r\nHost: one.test\r\n\r\n");
is($r->{code}, 400, 'an empty line before the request is nothing special');
$r = say($httpd, "GET / HTTP/1.1\r\n\r\n");
is($r->{code}, 400, 'HTTP/1.1 without a Host');
$r = say($httpd, "GET /nine\r\n");
like($r->{raw} // $r->{body}, qr{https://one\.test:$port/}, 'HTTP/0.9 gets the page') or diag explain $r;
$r = say($httpd, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
ok(!$r->{open}, 'the preface of HTTP/2: the connection ends');

# Names
for my $host (['ONE.test', "https://one.test:$port/"], ['one.test:80', "https://one.test:$port/"], ['other.test', "https://other.test:$port/"],
    ['[::1]', "https://[::1]:$port/"], ['[::1]:8080', "https://[::1]:$port/"], ['127.0.0.1', "https://127.0.0.1:$port/"]) {
    $r = say($httpd, "GET / HTTP/1.1\r\nHost: $host->[0]\r\n\r\n");
    is($r->{link}, $host->[1], "Host: $host->[0] leads to $host->[1]");
}
is(say($httpd, "GET / HTTP/1.0\r\nHost: [::1]:$port\r\n\r\n", ip => '::1')->{link}, "https://[::1]:$port/", '... over IPv6 too');
my $own = "https://one.test:$port/";
for my $hostile ('"><script>alert(1)</script>', "a'onclick='x", 'a&b<c>', '<b>one.test</b>', 'one.test/..//x', 'one.test@evil.test', ' ', '[::1', '::1', '%00', 'x' x 5000) {
    $r = say($httpd, "GET / HTTP/1.1\r\nHost: $hostile\r\n\r\n");
    is($r->{code}, 400, 'a hostile Host gets 400: ' . substr $hostile, 0, 30);
    unlike($r->{body}, qr/<script>alert|onclick='|c>|<b>one/, '... and finds nothing of it that a browser would take for markup');
    is($r->{link} // $own, $own, '... nor a link to anywhere else');
}
$r = say($httpd, "GET http://absolute.test/x HTTP/1.1\r\nHost: one.test\r\n\r\n");
is($r->{link}, "https://absolute.test:$port/", 'an absolute request target names the host');

# The log tells what was seen.
my %log = ("\x80\x2e\x01\x00\x02\x00\x15\0\0\0\x10\x01\0\x80\x03\0\x80" . "\x07" x 31 => qr/\(bad-hello\).*SSLv2/,
    "PROXY TCP4 127.0.0.1 127.0.0.1 1234 443\r\n" => qr/\(not-tls\).*PROXY protocol header \(version 1\).*RemoteIPProxyProtocol/,
    "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\1\x7f\0\0\1\4\xd2\1\xbb" => qr/\(not-tls\).*PROXY protocol header \(version 2\).*RemoteIPProxyProtocol/,
    "SSH-2.0-x\r\n" => qr/\(not-tls\).*neither TLS nor HTTP: "SSH-2\.0-x/,
    "\"\x1b[31m\\\r\n" => qr/neither TLS nor HTTP: "\\+x22\\+x1b\[31/);
for my $bytes (sort keys %log) {
    $httpd->mark;
    $r = say($httpd, $bytes);
    ok(!$r->{open} && !$r->{code}, 'garbage ends the connection');
    ok($httpd->wait_for_log($log{$bytes}), '... and the log says what it was') or diag $httpd->new_log;
}
$httpd->stop;

# As mod_ssl, but for the row of the compatibility page.
my $plain = sub {
    my ($text) = @_;
    return sub { my ($client, $httpd) = @_; my $r = say($httpd, $text); return { code => $r->{code}, closed => $r->{open} ? 'no' : 'yes', says => $r->{body} && $r->{body} =~ /plain HTTP/ ? 1 : 0 } };
};
my %differs = map { ($_ => { row => 'plain HTTP on the TLS port', code => 400, closed => 'yes', says => 1 }) } qw(PROPFIND BREW);
parity(name => 'plain HTTP', config => "Listen 127.0.0.1:\${port_https}\n" . tls_host('one.test', $cert),
    requests => [map { { name => $_, run => $plain->("$_ / HTTP/1.1\r\nHost: one.test\r\n\r\n") } } qw(GET POST PROPFIND BREW)], differs => \%differs);
done_testing;
