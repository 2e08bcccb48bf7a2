# What stands behind a proxy learns of the client's certificate by RFC 9440's headers, and of nothing that a client claims.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use MIME::Base64 qw(decode_base64 encode_base64);
use Test::More;
use SL::Certs;
use SL::Client;
use SL::Command qw(slurp);
use SL::Conf qw(tls_host);
use SL::Httpd;

my $certs = SL::Certs->new;
my $one   = $certs->server('one.test', type => 'ecdsa', names => ['one.test', 'free.test']);
my $ca    = $certs->ca('client-ca');
my $ann   = $certs->client('ann');
my $below = $certs->client('below', issuer => 'client-intermediate');
my $stranger = $certs->client('stranger', issuer => 'other-ca');
my $mpm   = $ENV{SL_MPM} || 'event';

# The backend, without TLS, says what it got.
my $backend = SL::Httpd->new(tls => 'none', modules => ['headers']);
$backend->config(<<'CONF');
Listen 127.0.0.1:${port_http}
Header always set X-Cert "expr=%{HTTP:Client-Cert}"
Header always set X-Chain "expr=%{HTTP:Client-Cert-Chain}"
Header always set X-Other "expr=%{HTTP:X-Other}"
CONF
$backend->file('docs/index.html', "backend\n");
$backend->start_ok or BAIL_OUT('the backend does not start');

my $httpd = SL::Httpd->new(modules => ['proxy', 'proxy_http', 'headers', 'rewrite', ($mpm eq 'prefork' ? () : 'http2')]);
my @to_backend = map { ("<Location /$_->[0]/>", "SecureLayerClientCertHeader $_->[1]", "ProxyPass http://127.0.0.1:@{[$backend->port('http')]}/", '</Location>') }
    ['on', 'on'], ['off', 'off'], ['chain', 'chain'];
my @demand = ('<Location /asked/>', "ProxyPass http://127.0.0.1:@{[$backend->port('http')]}/", 'SSLVerifyClient require', '</Location>');
my @trust = ("SSLCACertificateFile \"$ca\"", 'SSLVerifyDepth 2', 'SSLProtocol TLSv1.2 TLSv1.3', 'RewriteEngine on', 'RewriteCond %{HTTP:Client-Cert} .', 'RewriteRule ^ - [G]');
$httpd->config("Listen 127.0.0.1:\${port_https}\nListen 127.0.0.1:\${port_http}\n" . ($mpm eq 'prefork' ? '' : "Protocols h2 http/1.1\n")
        . tls_host('one.test', $one, @trust, 'SSLVerifyClient optional', 'SecureLayerClientCertHeader on', @to_backend)
        . tls_host('free.test', $one, @trust, 'SSLVerifyClient none', 'SecureLayerClientCertHeader on', @to_backend, @demand)
        . "<VirtualHost *:\${port_http}>\nServerName plain.test\n" . join("\n", @to_backend) . "\n</VirtualHost>\n");
$httpd->start_ok or BAIL_OUT('httpd does not start');
my $client = SL::Client->new(port => $httpd->port('https'));

sub seen {
    my ($url, %o) = @_;
    my $r = $client->curl($url, %o);
    return "$r->{code} cert=" . ($r->{headers}{'x-cert'} // '') . ' chain=' . ($r->{headers}{'x-chain'} // '');
}

# A certificate as the RFC has it: a byte sequence of its DER.
sub field { my ($file) = @_; my ($pem) = slurp($file) =~ /BEGIN CERTIFICATE-----(.*?)-----END/s; return ':' . encode_base64(decode_base64($pem), '') . ':' }

my ($ann_field, $below_field, $above_field) = map { field($_) } $ann->{cert}, $below->{cert}, $below->{chain};
my @forged = map { ('-H', $_) } 'Client-Cert: :AAAA:', 'client-cert-chain: :AAAA:, :BBBB:';
my $none = '200 cert= chain=';

for my $version ('1.2', '1.3') {
    my @v = $version eq '1.2' ? ('--tls-max', '1.2') : ('--tlsv1.3');
    is(seen('https://one.test/on/', cert => $ann, args => [@v]), "200 cert=$ann_field chain=", "TLS $version: the backend gets the client's certificate");
    is(seen('https://one.test/chain/', cert => $below, args => [@v]), "200 cert=$below_field chain=$above_field", '... and the chain where it is asked for');
    is(seen('https://one.test/on/', cert => $below, args => [@v]), "200 cert=$below_field chain=", '... only there');
    is(seen('https://one.test/off/', cert => $ann, args => [@v]), $none, '... nothing where it is off');
    is(seen('https://one.test/on/', args => [@v]), $none, '... nothing without a certificate');
    is(seen('https://free.test/asked/', cert => $ann, args => [@v]), "200 cert=$ann_field chain=", '... also one that a section asks for');
    is(seen('https://free.test/on/', cert => $ann, args => [@v]), $none, '... not before');
}
for my $path ('on', 'chain') {
    is(seen("https://one.test/$path/", args => [@forged]), $none, "/$path/: what a client claims is taken away");
    is(seen("https://one.test/$path/", cert => $ann, args => [@forged]), "200 cert=$ann_field chain=", '... for the truth');
}
is(seen('https://one.test/on/', cert => $ann, args => ['-H', 'Connection: X-Other, Client-Cert,client-cert-chain']), "200 cert=$ann_field chain=",
    'a client can not have the header removed on its way');
is($client->curl('https://one.test/on/', args => ['-H', 'Connection: X-Other, Client-Cert', '-H', 'X-Other: 1'])->{headers}{'x-other'} // '', '', '... other headers it can');
my $plain = 'http://plain.test:' . $httpd->port('http');
is(seen("$plain/on/", args => [@forged]), $none, 'what a client claims over plain HTTP is taken away');
is(seen("$plain/off/", args => [@forged]), '200 cert=:AAAA: chain=:AAAA:, :BBBB:', '... off means hands off');
is(seen('https://one.test/on/', cert => $ann, http => 2), "200 cert=$ann_field chain=", 'over HTTP/2 likewise') if $mpm ne 'prefork';
is(seen('https://one.test/on/', args => [@forged], http => 2), $none, '... with claims too') if $mpm ne 'prefork';
$httpd->stop;
$backend->stop;
done_testing;
