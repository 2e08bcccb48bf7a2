# SSLOCSPEnable: a responder decides about client certificates; its answers are kept; without one nobody gets in.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Certs;
use POSIX ();
use SL::Client;
use SL::Command qw(scratch_dir slow slurp spew wait_until);
use SL::Httpd;
use SL::Responder;

my $certs     = SL::Certs->new;
my $server    = $certs->server('one.test', type => 'ecdsa', names => ['one.test', '*.one.test']);
my $responder = SL::Responder->new(certs => $certs, ca => 'client-ca');
my $aia       = 'authorityInfoAccess=OCSP;URI:' . $responder->url . "\n";
my $nowhere   = "authorityInfoAccess=OCSP;URI:http://ocsp.invalid/\n";
my %client    = (
    good    => $certs->client('ocsp-good',    extensions => $aia, type => 'ecdsa'),
    second  => $certs->client('ocsp-second',  extensions => $aia, type => 'ecdsa'),
    third   => $certs->client('ocsp-third',   extensions => $aia, type => 'ecdsa'),
    revoked => $certs->client('ocsp-revoked', extensions => $aia, type => 'ecdsa', revoked => 1),
    slow    => $certs->client('ocsp-slow',    extensions => $aia, type => 'ecdsa'),
    silent  => $certs->client('ocsp-silent',  type       => 'ecdsa'),
    lost    => $certs->client('ocsp-lost',    extensions => $nowhere, type => 'ecdsa'),
);
my $ca    = $certs->ca('client-ca');
my $other = $certs->ca('other-ca');
my $url   = $responder->url;

# One child, so that its answers are everybody's.
my $httpd = SL::Httpd->new(mpm_settings => "StartServers 1\nServerLimit 1\nThreadsPerChild 8\nMaxRequestWorkers 8\n");
my %host  = (
    plain    => 'SSLOCSPEnable on',
    keep     => 'SSLOCSPEnable leaf',
    ok       => 'SSLOCSPEnable on no_ocsp_for_cert_ok',
    default  => "SSLOCSPEnable on\nSSLOCSPDefaultResponder $url",
    override => "SSLOCSPEnable on\nSSLOCSPDefaultResponder $url\nSSLOCSPOverrideResponder on",
    believe  => "SSLOCSPEnable on\nSSLOCSPResponderCertificateFile $other",
    trusting => "SSLOCSPEnable on\nSSLOCSPNoverify on",
    proxied  => "SSLOCSPEnable on\nSSLOCSPProxyURL http://127.0.0.1:" . $responder->port . '/',
    nonce    => "SSLOCSPEnable on\nSSLOCSPUseRequestNonce off",
    hasty    => "SSLOCSPEnable on\nSSLOCSPResponderTimeout 1",
    short    => "SSLOCSPEnable on\nSecureLayerHandshakeTimeout " . 2 * slow(),
    open     => 'SSLVerifyClient none',
    section  => "SSLOCSPEnable on\n<Location />\nSSLVerifyClient require\n</Location>",
    generous => "SSLOCSPEnable on\nSSLVerifyClient optional_no_ca",
);
my $config = "Listen 127.0.0.1:\${port_https}\nSSLSessionTickets off\nLogLevel ssl:info\n";
for my $name ('plain', grep { $_ ne 'plain' } sort keys %host) {
    my $verify = $host{$name} =~ /SSLVerifyClient/ ? '' : 'SSLVerifyClient require';
    $config .= <<"CONF";
<VirtualHost *:\${port_https}>
    ServerName $name.one.test
    SSLEngine on
    SSLCertificateFile "$server->{cert}"
    SSLCertificateKeyFile "$server->{key}"
    SSLCACertificateFile "$ca"
    $verify
    $host{$name}
</VirtualHost>
CONF
}
$httpd->config($config);
$httpd->start_ok or BAIL_OUT('httpd does not start');
my $curl = SL::Client->new(port => $httpd->port('https'), cacert => $certs->ca('ca'));

# The status, 0 for a handshake that failed, and how often the responder was asked for it.
sub get {
    my ($host, $who, @args) = @_;
    my $before = $responder->asked;
    $httpd->mark;
    my $code = $curl->curl("https://$host.one.test/", cert => $client{$who}, args => \@args)->{code} || 0;
    return ($code, $responder->asked - $before);
}

sub gives {
    my ($host, $who, $code, $asked, $claim) = @_;
    is_deeply([get($host, $who)], [$code, $asked], $claim);
    return;
}

sub refused {
    my ($host, $who, $asked, $words, $claim) = @_;
    gives($host, $who, 0, $asked, $claim);
    ok($httpd->wait_for_log(qr/SL0104: .*$words/), "... and the log says why: $words");
    return;
}

# Good, revoked, and what is kept
gives('plain', 'good', 200, 1, 'a certificate that the responder calls good is let in');
gives('plain', 'good', 200, 0, 'the next handshake does not ask again');
gives('keep', 'good', 200, 1, 'under other settings the answer is asked for anew');
refused('plain', 'revoked', 1, 'says it is revoked', 'a revoked one is refused');
refused('plain', 'revoked', 0, 'says it is revoked', '... again, without asking again');

# A section that asks later
for my $version ('1.2', '1.3') {
    my ($code) = get('section', 'good', '--tls-max', $version);
    is($code, 200, "TLS $version: a section that wants a certificate lets in whom the responder calls good");
    ($code) = get('section', 'revoked', '--tls-max', $version);
    is($code, 403, '... and denies a revoked one');
    ok($httpd->wait_for_log(qr/says it is revoked/), '... and the log says why') or diag $httpd->new_log;
}

# Which responder
refused('plain', 'silent', 0, 'names no OCSP responder', 'a certificate without a responder is refused');
gives('ok', 'silent', 200, 0, '... but not with no_ocsp_for_cert_ok');
gives('default', 'silent', 200, 1, '... nor where SSLOCSPDefaultResponder is there for it');
gives('override', 'lost', 200, 1, 'SSLOCSPOverrideResponder: the default responder is asked whatever the certificate names');
gives('proxied', 'lost', 200, 1, 'SSLOCSPProxyURL is asked in the place of the responder');
is(($responder->requests)[-1], 'POST http://ocsp.invalid/ HTTP/1.1', '... with the whole URL');

# Answers that can't be believed
$responder->other_is($client{second}{cert});
$responder->mode('badsig');
refused('plain', 'second', 1, 'signed by nobody who may answer', 'a damaged signature does not count');
gives('trusting', 'second', 200, 1, '... unless SSLOCSPNoverify says so');
$responder->mode('stranger');
refused('plain', 'second', 1, 'signed by nobody who may answer', "a stranger's signature does not count");
gives('believe', 'second', 200, 1, '... unless SSLOCSPResponderCertificateFile names it');
$responder->mode('other');
refused('plain', 'third', 1, 'lacks the nonce', 'an answer without the nonce does not count');
refused('nonce', 'third', 1, 'about another certificate', '... and an answer about another certificate does not either');
for my $case (['try-later', 'trylater'], ['status-500', 'HTTP status 500'], ['garbage', 'no OCSP answer'],
    ['empty', 'no OCSP answer'], ['huge', 'more than 65536 bytes'], ['redirect', 'is not followed']) {
    my ($mode, $words) = @$case;
    $responder->mode($mode);
    refused('plain', 'third', 1, $words, "a responder that gives $mode lets nobody in");
}
ok(!(grep {/elsewhere/} $responder->requests), 'a redirect is not followed');
refused('ok', 'third', 1, 'is not followed', 'no_ocsp_for_cert_ok is about certificates without a responder only');
$responder->mode('no-end');
gives('plain', 'third', 200, 1, 'an answer without nextUpdate counts');
gives('plain', 'third', 200, 1, '... once');

# Slow and down
$responder->mode('silent');
refused('hasty', 'slow', 1, 'has not answered completely within 1 seconds', 'a responder that says nothing: the deadline ends it');
ok($httpd->new_log =~ /SL0140: .*CN=ocsp-slow/, 'a warning says that a responder is in trouble');
refused('hasty', 'slow', 0, 'has not answered completely', '... and for a moment it is not asked again');
$client{slower} = $certs->client('ocsp-slower', extensions => $aia, type => 'ecdsa');
refused('short', 'slower', 1, 'has not answered completely within', 'the deadline of the handshake ends it as well');
$responder->mode('ok')->stop;
refused('plain', 'third', 0, "can't be asked", 'a responder that is down lets nobody in');
gives('plain', 'good', 200, 0, '... but whose answer is known');
$responder->go_on;
gives('plain', 'third', 200, 1, 'once it is there again, so are its clients');

# Two at a time ask once
{
    my $before = $responder->asked;
    my $dir    = scratch_dir('sl-two');
    $client{both} = $certs->client('ocsp-both', extensions => $aia, type => 'ecdsa');
    $responder->mode('silent');
    my @pids = map { my $n = $_; fork || do {
        spew("$dir/$n", $curl->curl('https://plain.one.test/', cert => $client{both})->{code} || 0);
        POSIX::_exit(0);
    } } 1, 2;
    ok(wait_until(sub { $responder->asked > $before }, 20), 'the responder is asked');
    $responder->mode('ok');
    waitpid $_, 0 for @pids;
    is(slurp("$dir/$_"), 200, "client $_ of two with the same certificate is let in") for 1, 2;
    is($responder->asked - $before, 1, '... and the responder was asked once');
}

# Not all threads wait: seven of eight do
{
    $client{crowd} = $certs->client('ocsp-crowd', extensions => $aia, type => 'ecdsa');
    $responder->mode('silent');
    $httpd->mark;
    my @pids = map { fork || do { $curl->curl('https://plain.one.test/', cert => $client{crowd}); POSIX::_exit(0) } } 1 .. 8;
    ok($httpd->wait_for_log(qr/SL0104: .*too many connections wait for OCSP responders already/), 'one more than may wait for a responder is refused at once');
    is((get('open', 'good'))[0], 200, '... so that a thread is left for others');
    $responder->mode('ok');
    waitpid $_, 0 for @pids;
    gives('plain', 'crowd', 200, 0, '... and with the answer all get in');
}

# optional_no_ca
gives('generous', 'good', 200, 1, 'optional_no_ca with OCSP: who is known gets in');
$client{stranger} = $certs->client('ocsp-stranger', issuer => 'other-ca', extensions => $aia);
is_deeply([get('generous', 'stranger')], [0, 0], '... whose CA nobody knows is refused');

$httpd->stop;
done_testing;
