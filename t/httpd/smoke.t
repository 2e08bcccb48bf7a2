# Two virtual hosts on one port: each client gets the certificate and the page of the host it names.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Certs;
use SL::Client;
use SL::Httpd;

my $certs = SL::Certs->new;
my $httpd = SL::Httpd->new(modules => ['http2']);
my ($one, $two) = map { $certs->server("$_.test", type => 'ecdsa') } qw(one two);

$httpd->config(<<"CONF");
Listen 127.0.0.1:\${port_https}
Protocols h2 http/1.1
<VirtualHost *:\${port_https}>
    ServerName one.test
    SSLEngine on
    SSLCertificateFile "$one->{cert}"
    SSLCertificateKeyFile "$one->{key}"
    DocumentRoot "\${docs}/one"
</VirtualHost>
<VirtualHost *:\${port_https}>
    ServerName two.test
    SSLEngine on
    SSLCertificateFile "$two->{cert}"
    SSLCertificateKeyFile "$two->{key}"
    DocumentRoot "\${docs}/two"
</VirtualHost>
CONF
$httpd->file("docs/$_/index.html", "this is $_\n") for qw(one two);

my $checked = $httpd->configtest;
is($checked->{status}, 0, 'httpd -t accepts the configuration') or diag $checked->{err};
$httpd->start_ok or BAIL_OUT('httpd does not start');
my $client = SL::Client->new(port => $httpd->port('https'));

for my $name (qw(one two)) {
    for my $http ('1.1', '2') {
        my $r = $client->curl("https://$name.test/", http => $http);
        is($r->{code},    200,               "curl gets $name.test over HTTP/$http") or diag $r->{err};
        is($r->{body},    "this is $name\n", '... its own page');
        is($r->{version}, $httpd->{mpm} eq 'prefork' ? '1.1' : $http, '... in that version');
    }
    for my $version ('1.2', '1.3') {
        (my $flag = "-tls$version") =~ tr/./_/;
        my $s = $client->s_client("$name.test", args => [$flag, '-verify_return_error', '-verify_hostname', "$name.test"],
            input => "GET / HTTP/1.1\r\nHost: $name.test\r\nConnection: close\r\n\r\n");
        ok($s->{connected}, "s_client shakes hands with $name.test in TLS $version") or diag $s->{text};
        is($s->{protocol}, "TLSv$version", '... in that version');
        like($s->{subject}, qr/CN ?= ?$name\.test/, '... its own certificate');
        like($s->{out}, qr/this is $name\n/, '... its own page');
    }
    my $g = $client->gnutls("$name.test", input => "GET / HTTP/1.0\r\nHost: $name.test\r\n\r\n");
    ok($g->{connected}, "gnutls-cli shakes hands with $name.test") or diag $g->{text};
    like($g->{out}, qr/this is $name\n/, '... and gets its page');
}

my $first = $client->s_client('one.test', sni => '');
like($first->{subject}, qr/one\.test/, 'without a name the first host answers');

my $stream = $client->tls('two.test');
$stream->send("GET / HTTP/1.1\r\nHost: two.test\r\n\r\n") for 1 .. 2;
is($stream->response->{body}, "this is two\n", "a connection is kept alive: answer $_") for 1 .. 2;
$stream->close;

my $raw = $client->raw;
$raw->send_in_pieces("garbage\r\n", 1);
ok(defined $raw->read_to_end, 'bytes that are neither TLS nor HTTP end the connection');

ok($httpd->restart, 'a graceful restart comes through') unless $httpd->{single};
is($client->curl('https://one.test/')->{code}, 200, 'it serves afterwards');
$httpd->stop;
done_testing;
