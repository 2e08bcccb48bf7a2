# Whom SSLOCSPEnable lets in, whatever the responder does, is whom mod_ssl lets in; SSL_CLIENT_VERIFY says the same.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Certs;
use SL::Client;
use SL::Httpd;
use SL::Responder;

plan skip_all => 'a comparison with mod_ssl, whose side no sanitizer looks at' if $ENV{SL_SAN};
my $certs     = SL::Certs->new;
my $server    = $certs->server('one.test', type => 'ecdsa', names => ['one.test', '*.one.test']);
my $responder = SL::Responder->new(certs => $certs, ca => 'client-ca');
my $ca        = $certs->ca('client-ca');
my $aia       = 'authorityInfoAccess=OCSP;URI:' . $responder->url . "\n";
my @modes     = qw(ok no-end badsig stranger other try-later status-500 garbage empty redirect);
my %settings  = (
    require    => 'SSLVerifyClient require',
    optional   => 'SSLVerifyClient optional',
    generous   => 'SSLVerifyClient optional_no_ca',
    noverify   => "SSLVerifyClient require\nSSLOCSPNoverify on",
    'no-nonce' => "SSLVerifyClient require\nSSLOCSPUseRequestNonce off",
    ok         => "SSLVerifyClient require\nSSLOCSPEnable on no_ocsp_for_cert_ok",
    leaf       => "SSLVerifyClient require\nSSLOCSPEnable leaf",
    default    => "SSLVerifyClient require\nSSLOCSPDefaultResponder " . $responder->url,
    override   => "SSLVerifyClient require\nSSLOCSPDefaultResponder " . $responder->url . "\nSSLOCSPOverrideResponder on",
);
my %client = (revoked => $certs->client('parity-revoked', extensions => $aia, type => 'ecdsa', revoked => 1),
    silent => $certs->client('parity-silent', type => 'ecdsa'), foreign => $certs->client('parity-foreign', ca => 'other-ca', type => 'ecdsa'),
    map { $_ => $certs->client("parity-$_", extensions => $aia, type => 'ecdsa') } @modes);
$responder->other_is($certs->client('parity-somebody', type => 'ecdsa')->{cert});

my %seen;
for my $tls (qw(mod_ssl securelayer)) {
    my $httpd  = SL::Httpd->new(tls => $tls, name => $tls, modules => ['headers']);
    my $config = "Listen 127.0.0.1:\${port_https}\nSSLSessionTickets off\nSSLSessionCache none\nHeader always set X-Verify \"%{SSL_CLIENT_VERIFY}s\"\n";
    for my $name (sort keys %settings) {
        $config .= join "\n", "<VirtualHost *:\${port_https}>", "ServerName $name.one.test", 'SSLEngine on', "SSLCertificateFile \"$server->{cert}\"",
            "SSLCertificateKeyFile \"$server->{key}\"", "SSLCACertificateFile \"$ca\"", 'SSLOCSPEnable on', $settings{$name}, "</VirtualHost>\n";
    }
    $httpd->config($config);
    $httpd->start_ok or BAIL_OUT("$tls does not start");
    my $curl = SL::Client->new(port => $httpd->port('https'), cacert => $certs->ca('ca'));
    for my $who (sort keys %client) {
        $responder->mode((grep { $_ eq $who } @modes) ? $who : 'ok');
        for my $name (sort keys %settings) {
            my $r = $curl->curl("https://$name.one.test/", cert => $client{$who});
            my $verify = $r->{headers}{'x-verify'} // '-';
            $seen{$tls}{"$name: $who"} = ($r->{code} || 0) . ' ' . ($verify =~ /^FAILED/ ? 'FAILED' : $verify);
        }
    }
    $httpd->stop;
}
is($seen{securelayer}{$_}, $seen{mod_ssl}{$_}, "$_: $seen{mod_ssl}{$_}") for sort keys %{ $seen{mod_ssl} };
done_testing;
