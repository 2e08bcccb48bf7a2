# SSLOptions +OptRenegotiate: a section's SSLCipherSuite leads to a new handshake only if the suite in use is not in it. Side
# by side with mod_ssl.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Certs;
use SL::Client;
use SL::Conf qw(tls_host page);
use SL::Httpd;

my $certs = SL::Certs->new;
my $cert  = $certs->server('one.test', type => 'rsa');
my $ca    = $certs->ca('client-ca');
my $ann   = $certs->client('ann');
# What each calls a new handshake in its log.
my %again = (mod_ssl => qr/AH02221: Requesting connection re-negotiation/, securelayer => qr/SL0125: the client was asked again/);

for my $tls ($ENV{SL_SAN} ? () : ('mod_ssl'), 'securelayer') {
    my $httpd = SL::Httpd->new(tls => $tls, name => $tls, modules => ['headers']);
    page($httpd, 'one.test');
    $httpd->file("docs/one.test/$_/index.html", "this is $_\n") for qw(always if-needed known);
    $httpd->config("Listen 127.0.0.1:\${port_https}\nLogLevel ssl:debug\nHeader always set X-Cipher \"%{SSL_CIPHER}s\"\n"
            . tls_host('one.test', $cert, 'SSLProtocol TLSv1.2', "SSLCACertificateFile \"$ca\"", 'SSLVerifyClient optional',
            '<Location /always>', 'SSLCipherSuite AES256', '</Location>',
            '<Location /if-needed>', 'SSLCipherSuite AES256', 'SSLOptions +OptRenegotiate', '</Location>',
            '<Location /known>', 'SSLVerifyClient require', 'SSLOptions +OptRenegotiate', '</Location>'));
    $httpd->start_ok or next;
    my $client = SL::Client->new(port => $httpd->port('https'));
    my $ask = sub {
        my ($path, $ciphers, @more) = @_;
        $httpd->mark;
        my $r = $client->curl("https://one.test$path/", args => ['--tls-max', '1.2', '--ciphers', $ciphers, @more]);
        my $asked = $httpd->new_log =~ $again{$tls} ? 1 : 0;
        return [$r->{code}, $r->{headers}{'x-cipher'}, $asked];
    };
    my ($strong, $both) = ('ECDHE-RSA-AES256-GCM-SHA384', 'ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384');
    is_deeply($ask->('/if-needed', $strong), [200, $strong, 0], "$tls: with it a client whose suite is in the section's list is not asked again");
    is_deeply($ask->('/always', $strong), [200, $strong, 1], '... without it it is');
    is_deeply($ask->('/if-needed', $both), [200, $strong, 1], '... with it, who came with a suite that is not in the list is');
    my ($code) = @{ $ask->('/if-needed', 'ECDHE-RSA-AES128-GCM-SHA256') };
    isnt($code // 0, 200, '... and who has no suite of the list gets nothing');
    # mod_ssl looks at it anew.
    is_deeply($ask->('/known', $strong, '--cert', $ann->{cert}, '--key', $ann->{key}), [200, $strong, 0],
        '... who has shown a certificate is not asked for it again') if $tls eq 'securelayer';
    $httpd->stop;
}
done_testing;
