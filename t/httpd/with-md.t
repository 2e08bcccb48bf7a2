# Together with mod_md: a managed host starts without a certificate and answers 503; both ACME challenges end with one, which
# a graceful restart brings in; what answers a challenge serves nothing else.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Acme;
use SL::Certs;
use SL::Client;
use SL::Command qw(run slow slurp spew wait_until);
use SL::Conf qw(tls_host page);
use SL::Httpd;

plan skip_all => 'this httpd has no mod_md' unless SL::Httpd::has_module('md');

my $certs = SL::Certs->new;
my $httpd = SL::Httpd->new(modules => [qw(md http2)], full_stacks => 1);
my $acme  = SL::Acme->new(http => $httpd->port('http'), https => $httpd->port('https'));
my $own   = $certs->server('own.test', type => 'ecdsa');
my $aging = $certs->server('aging.test', type => 'ecdsa', start => '-80d', end => '+10d');
my $ann   = $certs->client('ann');
my $root  = $httpd->root;
my %challenge = ('alpn.test' => 'tls-alpn-01', 'http.test' => 'http-01', 'aging.test' => 'tls-alpn-01');
$acme->start or BAIL_OUT('no ACME server: ' . $acme->log);

# mod_md tells a program of each challenge that is in place before the CA may look, and waits for it to end.
my $messages = "$root/work/messages";
$httpd->file('cgi/message', <<"SH");
#!/bin/sh
echo "\$*" >>'$messages'
n=0
case \$1 in
challenge-setup:*)
    while [ ! -e "$root/work/go-\$2" ] && [ \$n -lt 1200 ]; do sleep 0.05; n=\$((n + 1)); done ;;
esac
exit 0
SH

page($httpd, 'own.test', keys %challenge);
$httpd->config(join '', <<"CONF",
Listen 127.0.0.1:\${port_https}
Listen 127.0.0.1:\${port_http}
Protocols h2 http/1.1 acme-tls/1
MDCertificateAuthority @{[$acme->url]}
MDCACertificateFile "@{[$acme->cacert]}"
MDCertificateAgreement accepted
MDContactEmail admin\@own.test
# The authority did not sign the certificate that grows old: asked when to renew it, it answers with an error.
MDRenewViaARI off
MDStoreDir "\${root}/md"
MDMessageCmd "\${cgi}/message"
MDRetryDelay 1s
MDPrivateKeys secp256r1 RSA
<MDomain alpn.test>
    MDCAChallenges tls-alpn-01
</MDomain>
<MDomain http.test>
    MDCAChallenges http-01
</MDomain>
# Has a certificate, from files that mod_md brings, and is to get a new one.
<MDomain aging.test>
    MDCAChallenges tls-alpn-01
    MDCertificateFile "$aging->{full}"
    MDCertificateKeyFile "$aging->{key}"
    MDRenewMode always
</MDomain>
CONF
    tls_host('own.test', $own),
    tls_host('alpn.test', []),
    tls_host('http.test', []),
    tls_host('aging.test', [], 'SSLVerifyClient require', "SSLCACertificateFile \"@{[$certs->ca('client-ca')]}\""),
    "<VirtualHost *:\${port_http}>\n    ServerName http.test\n    Redirect permanent / https://http.test/\n</VirtualHost>\n");

my $check = $httpd->configtest;
is($check->{status}, 0, 'httpd -t accepts hosts whose certificates are still to come') or diag $check->{err};
$httpd->start_ok or BAIL_OUT('httpd does not start');
my $client = SL::Client->new(port => $httpd->port('https'));

# The certificate a client is shown for `name`: its subject and all of it as text.
sub shown {
    my ($name, %o) = @_;
    my $s = $client->s_client($name, %o);
    my ($pem) = $s->{out} =~ /(-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n)/s;
    $s->{certificate} = $pem ? run(['openssl', 'x509', '-noout', '-text'], stdin => $pem)->{out} : '';
    return $s;
}

sub request { my ($name) = @_; return "GET / HTTP/1.1\r\nHost: $name\r\nConnection: close\r\n\r\n" }

sub stand_in {
    my ($name) = @_;
    my $s = shown($name);
    like($s->{certificate}, qr/DNS:\Q$name\E$/m, "$name: mod_md's stand-in certificate, made for the name");
    like($s->{certificate}, qr/Issuer: CN ?= ?Apache Managed Domain Fallback/, '... and signed by nobody');
    my $r = $client->curl("https://$name/", insecure => 1, http => 2);
    is("$r->{version} $r->{code}", '2 503', '... HTTP/2: 503');
    unlike($r->{body}, qr/this is/, '... and nothing of the page');
    is($client->curl("https://$name/", insecure => 1)->{code}, 503, '... HTTP/1.1 too');
}

# tls-alpn-01 (RFC 8737): the certificate of section 3, and nothing else on that connection.
sub answers_alpn_challenge {
    my ($name) = @_;
    for my $version (qw(tls1_2 tls1_3)) {
        my $session = "$root/work/session-$name-$version";
        my $s = shown($name, args => ['-alpn', 'acme-tls/1', "-$version", '-sess_out', $session], input => request($name));
        is($s->{alpn}, 'acme-tls/1', "$name, $version: a client that offers acme-tls/1 alone gets it") or diag $s->{text};
        like($s->{certificate}, qr/^\s*1\.3\.6\.1\.5\.5\.7\.1\.31: critical$/m, '... with the certificate of the challenge');
        is(join(' ', $s->{certificate} =~ /DNS:(\S+)/g), $name, '... for this name alone');
        like($s->{out}, qr{^HTTP/1\.1 503 }m, '... a request is answered with 503') or diag $s->{text};
        unlike($s->{out}, qr/this is/, '... and nothing of the page');
        unlike($s->{out}, qr/Acceptable client certificate CA names/, '... no client certificate is asked for');
        my $again = -s $session
            && $client->s_client($name, args => ['-alpn', 'http/1.1', "-$version", '-sess_in', $session], input => request($name));
        ok(!$again || !$again->{resumed}, '... and no session of it opens another connection') or diag $again->{text};
    }
    my $s = shown($name, args => ['-alpn', 'acme-tls/1,http/1.1'], cert => $ann);
    is($s->{alpn}, 'http/1.1', '... who offers another protocol too gets that');
    unlike($s->{certificate}, qr/1\.3\.6\.1\.5\.5\.7\.1\.31/, '... and the usual certificate');
}

# http-01 (RFC 8555 section 8.3): the token, although everything else there is redirected.
sub answers_http_challenge {
    my ($name) = @_;
    my ($token, $rest) = slurp("$root/md/challenges/$name/acme-http-01.txt") =~ /^(\S+?)\.(\S+)/;
    ok($token, "$name: mod_md wrote a token") or return;
    my $r = $client->curl("http://$name:@{[$httpd->port('http')]}/.well-known/acme-challenge/$token");
    is("$r->{code} $r->{body}", "200 $token.$rest", '... that is answered') or diag $r->{head};
    is($client->curl("http://$name:@{[$httpd->port('http')]}/")->{code}, 301, '... and nothing else is');
}

# Nobody but who is being checked.
sub refuses_stray_challenges {
    for my $name ('own.test', 'http.test') {
        my $s = $client->s_client($name, args => ['-alpn', 'acme-tls/1'], input => request($name));
        is($s->{alert_number}, 120, "$name: acme-tls/1 without a challenge is no protocol to talk in") or diag $s->{text};
        ok($httpd->wait_for_log(qr/SL0104: .*\(alpn\).*\Q$name\E.*no application protocol/), '... and the log tells') or diag $httpd->new_log;
        $s = $client->s_client($name, args => ['-alpn', 'acme-tls/1,nonsense'], input => request($name));
        is($s->{alert_number}, 120, '... nor beside one that nobody knows');
        $s = $client->s_client($name, args => ['-alpn', 'h2,acme-tls/1']);
        is($s->{alpn}, 'h2', '... and in no one\'s way');
    }
}

stand_in($_) for 'alpn.test', 'http.test';
like($httpd->error_log, qr/AH10085: \Q$_\E\S* has only a stand-in certificate/, "the log says so of $_") for 'alpn.test', 'http.test';
is($client->curl('https://own.test/')->{body}, "this is own.test\n", 'a host with a certificate of its own is served');
is($client->curl('https://aging.test/', cert => $ann)->{body}, "this is aging.test\n", 'a host whose certificate mod_md brings is served');

# mod_md takes one domain after the other, in an order of its own.
my %left = %challenge;
while (%left) {
    my $name = wait_until(sub { (grep { $left{$_} } slurp($messages) =~ /^challenge-setup:\S+ (\S+)$/mg)[0] }, 30 * slow());
    ok($name, "a challenge is in place for $name") or last;
    (delete($left{$name}) eq 'http-01' ? \&answers_http_challenge : \&answers_alpn_challenge)->($name);
    is($client->curl("https://$name/", cert => $ann)->{body}, "this is $name\n", '... meanwhile the host is served as before')
        if $name eq 'aging.test';
    refuses_stray_challenges() if $name eq 'alpn.test';
    spew("$root/work/go-$name", '');
    ok($httpd->wait_for_log(qr/AH10059: The Managed Domain \Q$name\E has been setup/, 30), "... $challenge{$name} ends with a certificate")
        or diag slurp($messages), $acme->log;
}

is($client->curl('https://alpn.test/', insecure => 1)->{code}, 503, 'before a restart nothing changes');
ok($httpd->restart, 'graceful restart');
for my $name ('alpn.test', 'http.test') {
    my $r = $client->curl("https://$name/", cacert => $acme->root);
    is($r->{body}, "this is $name\n", "$name is served with a certificate that clients trust") or diag $r->{err};
    for my $type (['ECDSA', 'id-ecPublicKey'], ['RSA', 'rsaEncryption']) {
        my $s = shown($name, cacert => $acme->root, args => ['-tls1_2', '-cipher', "a$type->[0]", '-verify_return_error']);
        like($s->{certificate}, qr/Issuer: CN ?= ?Pebble.*Public Key Algorithm: $type->[1]/s, "... $type->[0] too") or diag $s->{text};
    }
}
unlike($httpd->new_log, qr/AH10085/, '... and the log speaks of no stand-in any more');

# aging.test still has its old files, so that mod_md is at it again; httpd may crash if it ends amid that, whatever TLS module
# it has.
ok($httpd->wait_for_log(qr/AH10059: The Managed Domain aging\.test/, 30), 'mod_md has nothing left to do');
$httpd->stop;
$acme->stop;
done_testing;
