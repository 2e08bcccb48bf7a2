# A client certificate with very many names does not keep a thread busy: with optional_no_ca anybody may show one.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Time::HiRes qw(time);
use SL::Certs;
use SL::Client;
use SL::Httpd;

my ($names, $requests) = (8000, 20);
my $certs = SL::Certs->new;
my $one   = $certs->server('one.test');
my $many  = $certs->client('many', issuer => 'self', names => [map {"DNS:n$_"} 0 .. $names - 1]);
my $httpd = SL::Httpd->new(modules => ['headers']);
my $last  = 'SSL_CLIENT_SAN_DNS_' . ($names - 1);
$httpd->config(<<"CONF");
Listen 127.0.0.1:\${port_https}
<VirtualHost *:\${port_https}>
    ServerName one.test
    SSLEngine on
    SSLCertificateFile "$one->{cert}"
    SSLCertificateKeyFile "$one->{key}"
    SSLVerifyClient optional_no_ca
    SSLOptions +StdEnvVars
    Header set X-First "%{SSL_CLIENT_SAN_DNS_0}e"
    Header set X-Last "%{$last}e"
    Header set X-Verify "%{SSL_CLIENT_VERIFY}e"
    Header set X-Remain "%{SSL_CLIENT_V_REMAIN}e"
</VirtualHost>
CONF
$httpd->start_ok or BAIL_OUT('httpd does not start');

my $stream = SL::Client->new(port => $httpd->port('https'))->tls('one.test', cert => $many);
my ($began, @seen);
for my $n (0 .. $requests) {
    $began = time if $n == 1;    # the first request makes what the others are given
    $stream->send("GET / HTTP/1.1\r\nHost: one.test\r\n\r\n");
    my $headers = ($stream->response || {})->{headers} || {};
    push @seen, join ' ', map { $headers->{"x-$_"} // '-' } qw(first last verify remain);
}
my $took = time - $began;
s/ (?:89|90)$/ days/ for @seen;    # as the second in which the certificate was made has it
is_deeply(\@seen, [('n0 n' . ($names - 1) . ' GENEROUS days') x ($requests + 1)], "all $names names are there, with each request");
note sprintf 'a request costs little: %.1f ms', $took / $requests * 1000;
$stream->close;

$httpd->stop;
done_testing;
