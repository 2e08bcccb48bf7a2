# Keys and certificates by URI: on a PKCS#11 token (SoftHSM), with the PIN in the URI, in a file or asked for; in stores
# of other schemes. A PIN shows in no message, and a wrong name or PIN is told with file and line.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Certs;
use SL::Client;
use SL::Command qw(find_program run slurp spew);
use SL::Httpd;

my ($engine) = map { glob "$_/*/engines-3/pkcs11.so" } '/usr/lib', '/usr/lib64';
plan skip_all => 'no SoftHSM' unless find_program('softhsm2-util');
plan skip_all => 'no OpenSSL engine pkcs11' unless $engine;

# That library alone: others that p11-kit knows may start threads of their own.
my ($softhsm) = grep {-e} '/usr/lib/softhsm/libsofthsm2.so', glob '/usr/lib/*/softhsm/libsofthsm2.so';

my $certs = SL::Certs->new;
my %pair  = map { $_->[0] => $certs->server("$_->[0].test", type => $_->[1], tag => 'token') } ['ec', 'ecdsa'], ['rsa', 'rsa'];
my $dir   = SL::Command::scratch_dir('sl-token');
my $user  = $> == 0 ? getpwnam('www-data') // 0 : $>;
my $conf  = spew("$dir/softhsm2.conf", "directories.tokendir = $dir/tokens\nobjectstore.backend = file\nlog.level = ERROR\n");
mkdir "$dir/tokens", 0755;
my $token = sub { my $r = run(['softhsm2-util', @_], env => { SOFTHSM2_CONF => $conf }); is($r->{status}, 0, "softhsm2-util $_[0]") or diag $r->{out} . $r->{err} };
$token->('--init-token', '--free', '--label', 'web', '--pin', '471100', '--so-pin', '0815000');
my $id = 0;
for my $name (sort keys %pair) {
    run(['openssl', 'pkcs8', '-topk8', '-nocrypt', '-in', $pair{$name}{key}, '-out', "$dir/$name.p8"]);
    $token->('--import', "$dir/$name.p8", '--token', 'web', '--label', $name, '--id', sprintf('%02d', ++$id), '--pin', '471100');
}
run(['openssl', 'x509', '-in', $pair{ec}{cert}, '-outform', 'DER', '-out', "$dir/ec.der"]);
my $me = $certs->client('token-client', type => 'ecdsa');
run(['openssl', 'pkcs8', '-topk8', '-nocrypt', '-in', $me->{key}, '-out', "$dir/me.p8"]);
$token->('--import', "$dir/me.p8", '--token', 'web', '--label', 'me', '--id', '03', '--pin', '471100');
run(['openssl', 'x509', '-in', $me->{cert}, '-outform', 'DER', '-out', "$dir/me.der"]);
my $with_cert = find_program('pkcs11-tool') && $softhsm
    && !grep { run(['pkcs11-tool', '--module', $softhsm, '--login', '--pin', '471100', '--token-label', 'web', '--write-object', "$dir/$_->[0].der", '--type',
        'cert', '--label', $_->[0], '--id', $_->[1]], env => { SOFTHSM2_CONF => $conf })->{status} } ['ec', '01'], ['me', '03'];
# The children, who are another user, open the token anew.
run(['chown', '-R', $user, "$dir/tokens"]) if $> == 0;

my $pin_program = spew("$dir/pin", "#!/bin/sh\necho \"\$#|\$*\" >>$dir/asked\nhead -n 1 $dir/pin.txt\n", 0755);
spew("$dir/pin.txt", "471100", 0644);
sub asked { my $text = slurp("$dir/asked"); unlink "$dir/asked"; return $text }

sub httpd_with {
    my ($cert, $key, %o) = @_;
    my $httpd = SL::Httpd->new(env => { SOFTHSM2_CONF => $conf, PKCS11_MODULE_PATH => $softhsm }, %o);
    $httpd->config("SSLPassPhraseDialog exec:$pin_program\nListen 127.0.0.1:\${port_https}\n<VirtualHost *:\${port_https}>\n ServerName ec.test\n SSLEngine on\n"
            . " SSLCertificateFile \"$cert\"\n" . ($key ? " SSLCertificateKeyFile \"$key\"\n" : '') . "</VirtualHost>\n");
    return $httpd;
}
sub serves {
    my ($httpd, $name, @args) = @_;
    my $s = SL::Client->new(port => $httpd->port('https'))->s_client('ec.test', args => \@args);
    return ok($s->{connected}, $name) || diag $s->{text};
}

for my $case (
    ['an EC key, its PIN in the URI', 'ec', 'pkcs11:token=web;object=ec;type=private?pin-value=471100', 0],
    ['an RSA key, its PIN in a file', 'rsa', "pkcs11:token=web;object=rsa;type=private?pin-source=$dir/pin.txt", 0],
    ['an EC key, its PIN asked for', 'ec', 'pkcs11:token=web;object=ec;type=private', 1],
    )
{
    my ($what, $name, $uri, $questions) = @$case;
    my $httpd = httpd_with($pair{$name}{full}, $uri);
    $httpd->start_ok("$what: httpd starts") or next;
    serves($httpd, '... a child signs with it') for 1 .. 3;
    serves($httpd, '... with TLS 1.2 too', '-tls1_2');
    is(asked(), $questions ? "1|ec.test:443\n" : '', $questions ? '... asked once, with host and port alone' : '... and nobody is asked');
    if (($ENV{SL_SAN} || '') ne 'tsan') {
        ok($httpd->restart, '... a graceful restart');
        serves($httpd, '... and it serves');
        is(asked(), '', '... without asking');
    }
    unlike($httpd->said, qr/471100/, '... and no message has the PIN');
    $httpd->stop;
}

SKIP: {
    skip 'no pkcs11-tool to put a certificate on the token', 1 unless $with_cert;
    for my $case (['certificate and key', 'pkcs11:token=web;object=ec?pin-value=471100', 'pkcs11:token=web;object=ec;type=private?pin-value=471100'],
        ['the certificate, which names the key too,', 'pkcs11:token=web;object=ec?pin-value=471100', undef],
        ['the certificate', 'pkcs11:token=web;object=ec;type=cert?pin-value=471100', $pair{ec}{key}])
    {
        my ($what, @names) = @$case;
        my $httpd = httpd_with(@names);
        $httpd->start_ok("$what from the token: httpd starts") or next;
        serves($httpd, '... and serves');
        unlike($httpd->said . $httpd->configtest('-t', '-D', 'DUMP_CERTS')->{out}, qr/471100/, '... and nothing shows the PIN');
        $httpd->stop;
    }

    # Shown to a backend that asks.
    my $backend = SL::Httpd->new(name => 'backend', modules => ['headers']);
    $backend->config("Listen 127.0.0.1:\${port_https}\nHeader always set X-Who %{SSL_CLIENT_S_DN_CN}s\n<VirtualHost *:\${port_https}>\nServerName ec.test\nSSLEngine on\n"
            . "SSLCertificateFile $pair{ec}{full}\nSSLCertificateKeyFile $pair{ec}{key}\nSSLVerifyClient optional_no_ca\n</VirtualHost>\n");
    $backend->start_ok('a backend starts') or skip 'no backend', 1;
    my $proxy = SL::Httpd->new(name => 'proxy', modules => ['proxy_http'], env => { SOFTHSM2_CONF => $conf, PKCS11_MODULE_PATH => $softhsm });
    $proxy->config("Listen 127.0.0.1:\${port_http}\nSSLProxyEngine on\nSSLProxyCheckPeerName off\nSSLProxyMachineCertificateFile \"pkcs11:token=web;object=me?pin-value=471100\"\n"
            . 'ProxyPass / https://127.0.0.1:' . $backend->port('https') . "/ disablereuse=on\n");
    if ($proxy->start_ok('a certificate for backends from the token: httpd starts')) {
        my $answer = run(['curl', '-s', '-i', 'http://127.0.0.1:' . $proxy->port('http') . '/']);
        like($answer->{out}, qr/^X-Who: token-client\r?$/m, '... and the backend gets it') or diag($proxy->error_log);
        unlike($proxy->said, qr/471100/, '... and no message has the PIN');
        $proxy->stop;
    }
    $backend->stop;
}

for my $case (
    ['a key that is not there', 'pkcs11:token=web;object=nothing;type=private?pin-value=471100', qr/no private key (?:could be read )?by this name/],
    ['a wrong PIN', 'pkcs11:token=web;object=ec;type=private?pin-value=999999', qr/no private key (?:could be read )?by this name/],
    ['the key of another certificate', 'pkcs11:token=web;object=rsa;type=private?pin-value=471100', qr/does not belong to the private key in pkcs11:/],
    ['a scheme that nobody knows', 'nothing:token=web', qr/no private key .*by this name.*If a file is meant, write its path from the root/],
    )
{
    my ($what, $uri, $pattern) = @$case;
    my $httpd = httpd_with($pair{ec}{full}, $uri);
    my $r = $httpd->configtest;
    isnt($r->{status}, 0, "$what: httpd -t refuses it");
    like($r->{err}, qr/AH02572: \S+httpd\.conf:\d+: SSLCertificate(?:Key)?File: /, '... says where');
    like($r->{err}, $pattern, '... and why');
    unlike($r->{err}, qr/471100|999999/, '... without the PIN');
}
my $r = httpd_with($pair{ec}{full}, 'pkcs11:token=web;object=ec;type=private')->configtest;
is($r->{status}, 0, 'httpd -t takes a key whose PIN it would have to ask for');
like($r->{err}, qr/SL0006: .*pkcs11:token=web;object=ec;type=private: was not looked into/, '... and says that it did not look');
is(asked(), '', '... and asks nobody');

# Schemes of OpenSSL's own stores.
for my $case (['key and certificate', "file:$pair{ec}{full}", "file:$pair{ec}{key}"], ['key alone', $pair{ec}{full}, "file:$pair{ec}{key}"],
    ['certificate alone', "file:$pair{ec}{full}", $pair{ec}{key}], ['one URI for both', "file:$pair{ec}{both}", undef])
{
    my ($what, @names) = @$case;
    my $httpd = httpd_with(@names);
    $httpd->start_ok("by file: URI, $what: httpd starts") or next;
    serves($httpd, '... and serves');
    $httpd->stop;
}
done_testing;
