# Modules that attend to the hooks of mod_ssl.h and mod_ssl_openssl.h are asked as mod_ssl asks them, and what they do counts.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Certs;
use SL::Client;
use SL::Command qw(run slurp wait_until slow);
use SL::Conf qw(tls_host page);
use SL::Httpd;
use SL::Probe;
use SL::Responder;

my $certs = SL::Certs->new;
my %cert  = map { $_ => $certs->server($_, type => 'ecdsa') } qw(one.test two.test brought.test);
my $both  = $certs->{dir} . '/brought-both.pem';
SL::Command::spew($both, slurp($cert{'brought.test'}{cert}) . slurp($cert{'brought.test'}{key}));

sub httpd {
    my ($tls, @wishes) = @_;
    my $httpd = SL::Httpd->new(tls => $tls, name => $tls, load => 'LoadModule sl_hooks_module "' . SL::Probe::module('mod_sl_hooks') . '"');
    $httpd->config(join '', "Listen 127.0.0.1:\${port_https}\nProtocols http/1.1 acme-tls/1\n", map({/^SSL/ ? "$_\n" : "SLHook $_\n"} @wishes),
        tls_host('one.test', $cert{'one.test'}), tls_host('two.test', $cert{'two.test'}),
        "<VirtualHost *:\${port_https}>\nServerName brought.test\nSSLEngine on\nDocumentRoot \"\${docs}/one.test\"\n</VirtualHost>\n");
    page($httpd, $_) for qw(one.test two.test);
    return $httpd;
}

sub asked { my ($httpd, $what) = @_; return sort { $a cmp $b } $httpd->error_log =~ /HOOK ($what .*)/g }

# mod_ssl tells which hooks exist; what they are shown must be the same.
my %seen;
for my $tls (qw(mod_ssl securelayer)) {
    my $httpd = httpd($tls, 'old two.test', 'bring brought.test', "file $both");
    $httpd->start_ok or BAIL_OUT("$tls does not start");
    my $client = SL::Client->new(port => $httpd->port('https'));
    for my $name (sort keys %cert) {
        my $r = $client->curl("https://$name/");
        is($r->{code}, 200, "$tls: $name serves") or diag($r->{err});
    }
    isnt($client->curl('https://two.test/', args => ['--tlsv1.3'])->{status}, 0, '... what a module does to the SSL_CTX of a host counts there')
        if $tls eq 'securelayer';
    is($client->curl('https://one.test/', args => ['--tlsv1.3'])->{code}, 200, '... and nowhere else') if $tls eq 'securelayer';
    my %init = map { $_ => 1 } asked($httpd, 'init_server');
    $seen{$tls} = { init => [sort keys %init], pre => (asked($httpd, 'pre_handshake'))[0], app => $httpd->wait_for_log(qr{HOOK app data: (.*)}) };
    $httpd->stop;
}
is_deeply($seen{securelayer}, $seen{mod_ssl}, 'both show a module the same');
is(scalar @{ $seen{securelayer}{init} }, 3, '... each host, once its certificate is there');
is($seen{securelayer}{app}, 'the connection', '... in the app data of an SSL, the connection');
is($seen{securelayer}{pre}, 'pre_handshake proxy 0: before', '... and each connection, before its handshake');

my $httpd = httpd('securelayer', 'refuse two.test', 'bring brought.test', "file $both");
ok(!$httpd->start, 'a module may keep a host from starting');
like($httpd->said, qr/SL0017: two\.test:\d+: another module does not let this host start/, '... which is told');
$httpd->stop;

# Its certificate would come when nobody shows the host to the module any more.
my $gone = { full => $httpd->root . '/work/gone.crt', key => $cert{'one.test'}{key} };
$httpd = httpd('securelayer', 'bring brought.test', "file $both");
$httpd->config("SecureLayerBrokenHost skip\n" . tls_host('gone.test', $gone));
like($httpd->configtest->{err}, qr/SL0180: .*gone\.test:\d+: the host is left out: .*Repair it and restart httpd gracefully/, 'a host without its certificate takes a restart, as modules want to see it');

$httpd = httpd('securelayer', 'forbid 1', 'bring brought.test', "file $both");
$httpd->start_ok;
isnt(SL::Client->new(port => $httpd->port('https'))->curl('https://one.test/')->{status}, 0, 'a module may forbid the handshake');
ok(wait_until(sub { $httpd->error_log =~ /SL0104: .*another module does not allow the handshake/ }, 5 * slow()), '... which is told');
$httpd->stop;

$httpd = httpd('securelayer', 'stand-in brought.test', "file $both", "challenge $both");
$httpd->start_ok;
my $client = SL::Client->new(port => $httpd->port('https'));
is($client->curl('https://brought.test/')->{code}, 503, 'a host with a stand-in certificate answers with 503');
my $tls = $client->s_client('one.test', args => ['-alpn', 'acme-tls/1']);
like($tls->{subject}, qr/CN\s*=\s*brought\.test/, 'a challenge is answered with the certificate of a module');
is($tls->{alpn}, 'acme-tls/1', '... in its protocol');
$httpd->stop;
# Answers to staple that a module has
my $responder = SL::Responder->new(certs => $certs, ca => 'ca');
my $answer    = "$certs->{dir}/answer.der";
SL::Command::spew($answer, $responder->answer($cert{'one.test'}{cert}));
my %staple;
for my $who (qw(mod_ssl securelayer)) {
    my $server = httpd($who, "staple $answer", 'SSLCACertificateFile "' . $certs->ca('ca') . '"', 'bring brought.test', "file $both");
    $server->start_ok or next;
    my $got = SL::Client->new(port => $server->port('https'))->s_client('one.test', args => ['-status']);
    like("$got->{out}$got->{text}", qr/OCSP Response Status: successful.*Cert Status: good/s, "$who: the answer that a module has is stapled");
    my %hooks = map { $_ => 1 } asked($server, 'init_stapling_status'), asked($server, 'get_stapling_status');
    $staple{$who} = [sort keys %hooks];
    $server->stop;
}
is_deeply($staple{securelayer}, $staple{mod_ssl}, 'both ask the module the same');
is($responder->asked, 0, '... and nobody else');

# Backends
my $back = SL::Httpd->new(tls => 'mod_ssl', name => 'back');
$back->config("Listen 127.0.0.1:\${port_https}\n" . tls_host('one.test', $cert{'one.test'}));
page($back, 'one.test');
$back->start_ok or BAIL_OUT('the backend does not start');

sub proxy {
    my ($who, @wishes) = @_;
    my $proxy = SL::Httpd->new(tls => $who, name => "proxy-$who", modules => ['proxy_http'],
        load => 'LoadModule sl_hooks_module "' . SL::Probe::module('mod_sl_hooks') . '"');
    my $to = 'https://127.0.0.1:' . $back->port('https');
    $proxy->config(join '', "Listen 127.0.0.1:\${port_http}\n", map({"SLHook $_\n"} @wishes), "ServerName front.test\nSSLProxyEngine on\n",
        "SSLProxyCheckPeerName off\nProxyPass / $to/ disablereuse=on\n<Proxy $to/other/>\nSSLProxyVerifyDepth 3\n</Proxy>\n");
    $proxy->start_ok or BAIL_OUT("$who does not start");
    return $proxy;
}

sub status { my ($proxy) = @_; return run(['curl', '-s', '-o', '/dev/null', '-w', '%{http_code}', 'http://127.0.0.1:' . $proxy->port('http') . '/'])->{out} }

my %backends;
for my $who (qw(mod_ssl securelayer)) {
    my $proxy = proxy($who);
    is(status($proxy), 200, "$who: a backend is served");
    my %hooks = map { $_ => 1 } map { asked($proxy, $_) } qw(init_server pre_handshake proxy_post_handshake);
    $backends{$who} = [sort keys %hooks];
    $proxy->stop;
}
is_deeply($backends{securelayer}, $backends{mod_ssl}, 'both show a module the same of backends') or diag(explain(\%backends));
my $rejects = proxy('securelayer', 'reject 1');
is(status($rejects), 502, 'a module may refuse a backend');
like($rejects->error_log, qr/SL0172: .*another module does not accept the backend/, '... which is told');
$rejects->stop;
my $forbids = proxy('securelayer', 'forbid 1');
is(status($forbids), 502, '... or the handshake with it');
$forbids->stop;
$back->stop;
done_testing;
