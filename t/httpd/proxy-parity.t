# Which backends mod_proxy gets an answer from under the SSLProxy... directives is what it is with mod_ssl, directive by
# directive, in servers and in <Proxy> sections; so is what the backend sees of the proxy.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Certs;
use SL::Command qw(run spew slurp scratch_dir);
use SL::Httpd;

plan skip_all => 'a comparison with mod_ssl, whose side no sanitizer looks at' if $ENV{SL_SAN};
my $certs = SL::Certs->new;
my ($ca, $client_ca, $other_ca) = map { $certs->ca($_) } qw(ca client-ca other-ca);
my $dir = scratch_dir('proxy-parity');

# ---- backends, by the name that is asked for ----

my %cert = (
    'good.test'    => $certs->server('good.test'),
    'inter.test'   => $certs->server('inter.test', issuer => 'intermediate'),
    'wrong.test'   => $certs->server('somebody.test', tag => 'wrong'),
    'cn.test'      => $certs->server('cn.test', names => ['email:cn@cn.test']),
    'a.wild.test'  => $certs->server('wild', names => ['*.wild.test']),
    'a.b.deep.test' => $certs->server('deep', names => ['*.deep.test']),
    'old.test'     => $certs->server('old.test', start => '-9d', end => '-1d'),
    'self.test'    => $certs->server('self.test', issuer => 'self'),
    'revoked.test' => $certs->server('revoked.test', revoked => 1),
    'ask.test'     => $certs->server('ask.test', tag => 'ask'),
    'want.test'    => $certs->server('want.test', tag => 'want'),
    'section.test' => $certs->server('section.test', tag => 'section'),
    'v12.test'     => $certs->server('v12.test', tag => 'v12'),
);
my %more = (
    'ask.test'  => "SSLVerifyClient require\nSSLCACertificateFile $client_ca",
    'want.test' => "SSLVerifyClient optional_no_ca\nSSLCACertificateFile $client_ca",
    'v12.test'  => 'SSLProtocol TLSv1.2',
    'section.test' => "SSLCACertificateFile $client_ca\n<Location /machine/>\nSSLVerifyClient require\n</Location>",
);
my $backend = SL::Httpd->new(tls => 'mod_ssl', name => 'backend', modules => ['headers']);
my $config = "Listen 127.0.0.1:\${port_https}\nSSLSessionCache none\nAliasMatch ^/.* \${docs}/page\n";
for my $name ('good.test', grep { $_ ne 'good.test' } sort keys %cert) {
    $config .= join "\n", "<VirtualHost *:\${port_https}>", "ServerName $name", 'SSLEngine on', "SSLCertificateFile $cert{$name}{full}",
        "SSLCertificateKeyFile $cert{$name}{key}", $more{$name} // '',
        'Header set X-Facts "%{SSL_PROTOCOL}s %{SSL_CIPHER}s sni=%{SSL_TLS_SNI}s client=%{SSL_CLIENT_S_DN_CN}s verify=%{SSL_CLIENT_VERIFY}s"', "</VirtualHost>\n";
}
$backend->config($config);
$backend->file('docs/page', "a page\n");
$backend->start_ok or BAIL_OUT('the backend does not start');

# ---- settings of the proxy ----

my ($ann, $stranger) = ($certs->client('proxy-ann'), $certs->client('proxy-stranger', issuer => 'other-ca'));
my $under = $certs->client('proxy-under', issuer => 'client-intermediate');
my $pair  = sub { join '', map { slurp($_) } @_ };
spew("$dir/ann", $pair->(@$ann{qw(cert key)}), 0600);
spew("$dir/key-first", $pair->(@$ann{qw(key cert)}), 0600);
spew("$dir/two", $pair->(@$stranger{qw(cert key)}, @$ann{qw(key cert)}), 0600);
spew("$dir/under", $pair->(@$under{qw(cert key)}), 0600);
spew("$dir/under-full", $pair->(@$under{qw(cert key)}, $certs->ca('client-intermediate')), 0600);
spew("$dir/lone", $pair->($ann->{cert}), 0600);
mkdir "$dir/many";
spew("$dir/many/$_->[0]", $pair->(@{ $_->[1] }{qw(cert key)}), 0600) for ['a.pem', $stranger], ['b.pem', $ann];
my $crl = $certs->crl('ca');
my $verify = "SSLProxyVerify require\nSSLProxyCACertificateFile $ca";
my %settings = (
    none        => '',
    require     => $verify,
    path        => "SSLProxyVerify require\nSSLProxyCACertificatePath " . $certs->hashed('proxy-parity', $ca),
    optional    => "SSLProxyVerify optional\nSSLProxyCACertificateFile $ca",
    generous    => "SSLProxyVerify optional_no_ca\nSSLProxyCACertificateFile $ca",
    'no-ca'     => 'SSLProxyVerify require',
    stranger    => "SSLProxyVerify require\nSSLProxyCACertificateFile $other_ca",
    depth0      => "$verify\nSSLProxyVerifyDepth 0",
    depth2      => "$verify\nSSLProxyVerifyDepth 2",
    'cn-off'    => 'SSLProxyCheckPeerCN off',
    'cn-on'     => 'SSLProxyCheckPeerCN on',
    'name-off'  => 'SSLProxyCheckPeerName off',
    'name-on'   => 'SSLProxyCheckPeerName on',
    'both-off'  => "SSLProxyCheckPeerName off\nSSLProxyCheckPeerCN off",
    'name-off-cn-on' => "SSLProxyCheckPeerName off\nSSLProxyCheckPeerCN on",
    'name-on-cn-off' => "SSLProxyCheckPeerName on\nSSLProxyCheckPeerCN off",
    'expire-off'     => 'SSLProxyCheckPeerExpire off',
    'expire-off-req' => "$verify\nSSLProxyCheckPeerExpire off",
    crl         => "$verify\nSSLProxyCARevocationFile $crl\nSSLProxyCARevocationCheck leaf",
    'crl-chain' => "$verify\nSSLProxyCARevocationFile $crl\nSSLProxyCARevocationCheck chain",
    'crl-ok'    => "$verify\nSSLProxyCARevocationFile $crl\nSSLProxyCARevocationCheck chain no_crl_for_cert_ok",
    tls12       => 'SSLProxyProtocol TLSv1.2',
    tls13       => 'SSLProxyProtocol TLSv1.3',
    minus       => 'SSLProxyProtocol all -TLSv1.3',
    suite       => "SSLProxyProtocol TLSv1.2\nSSLProxyCipherSuite ECDHE-RSA-AES256-GCM-SHA384",
    suite13     => "SSLProxyProtocol TLSv1.3\nSSLProxyCipherSuite TLSv1.3 TLS_CHACHA20_POLY1305_SHA256",
    off         => 'SSLProxyEngine off',
    machine     => "SSLProxyMachineCertificateFile $dir/ann",
    'machine/12' => "SSLProxyMachineCertificateFile $dir/ann\nSSLProxyProtocol TLSv1.2",
    'key-first' => "SSLProxyMachineCertificateFile $dir/key-first",
    two         => "SSLProxyMachineCertificateFile $dir/two",
    lone        => "SSLProxyMachineCertificateFile $dir/lone",
    under       => "SSLProxyMachineCertificateFile $dir/under",
    'under-chain' => "SSLProxyMachineCertificateFile $dir/under\nSSLProxyMachineCertificateChainFile " . $certs->ca('client-intermediate'),
    'under-full'  => "SSLProxyMachineCertificateFile $dir/under-full",
    many          => "SSLProxyMachineCertificatePath $dir/many",
);

my %seen;
for my $tls (qw(mod_ssl securelayer)) {
    my $proxy = SL::Httpd->new(tls => $tls, name => "proxy-$tls", modules => ['proxy_http']);
    my $to    = 'https://127.0.0.1:' . $backend->port('https');
    my $lines = "Listen 127.0.0.1:\${port_http}\nProxyPreserveHost on\nSSLProxyEngine on\n";
    for my $name (sort keys %settings) {
        $lines .= "<Proxy $to/$name/>\n$settings{$name}\n</Proxy>\nProxyPass /$name/ $to/$name/ disablereuse=on\n";
    }
    $lines .= "ProxyPass /server/ $to/server/ disablereuse=on\n<VirtualHost *:\${port_http}>\nServerName main.test\n</VirtualHost>\n"
        . "<VirtualHost *:\${port_http}>\nServerName good.test\nServerAlias *.test\nSSLProxyProtocol TLSv1.2\n</VirtualHost>\n";
    $proxy->config($lines);
    $proxy->start_ok or BAIL_OUT("$tls does not start");
    for my $name (sort keys(%settings), 'server') {
        for my $host (sort keys(%cert), '127.0.0.1') {
            my $r = run(['curl', '-s', '-D', '-', '-o', '/dev/null', '-H', "Host: $host", 'http://127.0.0.1:' . $proxy->port('http') . "/$name/page"]);
            my ($code)  = $r->{out} =~ m{^HTTP/\S+ (\d+)};
            my ($facts) = $r->{out} =~ /^X-Facts: (.*?)\r?$/m;
            $seen{$tls}{"$name: $host"} = ($code // '-') . ' ' . ($facts // '');
        }
    }
    $proxy->stop;
}
# A backend that can't be spoken with is the gateway's matter (502); mod_ssl says 500, against its manual.
for my $case (sort keys %{ $seen{mod_ssl} }) {
    my $want = $seen{mod_ssl}{$case};
    $want =~ s/^500 /502 / unless $case =~ /^off:/;
    is($seen{securelayer}{$case}, $want, "$case: $want");
}
done_testing;
