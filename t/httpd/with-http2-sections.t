# A section that asks for a certificate can't ask on an HTTP/2 connection (RFC 9113 section 9.2.3): the stream is ended with
# HTTP_1_1_REQUIRED, and clients that follow it get their answer with HTTP/1.1. Side by side with mod_ssl.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Certs;
use SL::Client;
use SL::Command qw(run);
use SL::Conf qw(tls_host page);
use SL::Httpd;

my $certs = SL::Certs->new;
my $cert  = $certs->server('one.test', type => 'rsa', names => ['one.test', 'localhost']);
my $ca    = $certs->ca('client-ca');
my $ann   = $certs->client('ann');

for my $tls ($ENV{SL_SAN} ? () : ('mod_ssl'), 'securelayer') {
    my $httpd = SL::Httpd->new(tls => $tls, name => $tls, modules => ['http2', 'headers']);
    page($httpd, 'one.test');
    $httpd->file("docs/one.test/$_/index.html", "this is $_\n") for qw(who suite);
    $httpd->config("Listen 127.0.0.1:\${port_https}\nLogLevel ssl:debug http2:debug\nProtocols h2 http/1.1\nHeader always set X-Protocol expr=%{SERVER_PROTOCOL}\n"
            . tls_host('one.test', $cert, 'ServerAlias localhost', 'SSLProtocol TLSv1.2', "SSLCACertificateFile \"$ca\"",
            '<Location /who>', 'SSLVerifyClient require', '</Location>',
            '<Location /suite>', 'SSLCipherSuite ECDHE-RSA-AES256-GCM-SHA384', '</Location>'));
    $httpd->start_ok or next;
    my $port   = $httpd->port('https');
    my $client = SL::Client->new(port => $port);
    my $get    = sub {
        my ($path, $version, @more) = @_;
        return $client->curl("https://one.test$path/", args => ["--http$version", '--tls-max', '1.2', @more]);
    };
    my @as_ann = ('--cert', $ann->{cert}, '--key', $ann->{key});
    my @suites = ('--ciphers', 'ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384');

    my $r = $get->('', 2);
    is($r->{headers}{'x-protocol'}, 'HTTP/2.0', "$tls: a page outside of the sections comes with HTTP/2") or diag explain $r;
    $r = $get->('/who', 2, @as_ann);
    is_deeply([$r->{body}, $r->{headers}{'x-protocol'}], ["this is who\n", 'HTTP/1.1'], '... a section that wants a certificate: curl comes again with HTTP/1.1') or diag explain $r;
    $r = $get->('/suite', 2, @suites);
    is_deeply([$r->{body}, $r->{headers}{'x-protocol'}], ["this is suite\n", 'HTTP/1.1'], '... one that wants another suite: the same') or diag explain $r;
    my $h2 = run(['nghttp', '-v', '--no-verify-peer', "https://localhost:$port/who/"], timeout => 30);
    like($h2->{out}, qr/HTTP_1_1_REQUIRED/, '... the stream ends with HTTP_1_1_REQUIRED') or diag $h2->{out}, $h2->{err};
    unlike($h2->{out}, qr/this is who/, '... and shows nothing of the page');
    $httpd->stop;
}
done_testing;
