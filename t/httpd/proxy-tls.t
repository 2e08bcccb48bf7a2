# TLS to backends beyond what mod_ssl does: sessions are resumed and stay within their settings; pins, stapled answers and
# the system's CAs are looked at; a failure is a 502 with one line that says why; an answer that was cut off is none.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Bodies qw(pattern digest scripts cgi_modules cgi_conf);
use SL::Certs;
use SL::Command qw(run spew slurp scratch_dir slow wait_until free_port start stop_process);
use SL::Httpd;
use SL::Responder;
use SL::TlsBackend;

my $certs = SL::Certs->new;
my $dir   = scratch_dir('proxy-tls');
my ($ca, $client_ca) = map { $certs->ca($_) } qw(ca client-ca);
my $responder = SL::Responder->new(certs => $certs, ca => 'ca');
my $aia    = 'authorityInfoAccess=OCSP;URI:' . $responder->url . "\n";
my $cert   = $certs->server('back.test', names => ['back.test', 'IP:127.0.0.1']);
my $stapled = $certs->server('stapled.test', extensions => $aia);
spew("$dir/stapled", slurp($stapled->{full}) . slurp($ca));
my $revoked = $certs->server('revoked-back.test', extensions => $aia, revoked => 1);
spew("$dir/locked", slurp($certs->encrypted_key($certs->client('tls-locked')->{key}, 'secret')) . slurp($certs->client('tls-locked')->{cert}), 0600);
my $self = $certs->client('tls-self', issuer => 'self');
spew("$dir/stranger", slurp($self->{cert}) . slurp($self->{key}), 0600);
spew("$dir/phrase", "#!/bin/sh\necho secret\n", 0700);
my ($ann, $bob) = map { $certs->client($_) } qw(tls-ann tls-bob);

sub pin_of {
    my ($file) = @_;
    my $command = "openssl x509 -in '$file' -noout -pubkey | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64";
    return 'sha256//' . run(['sh', '-c', $command])->{out} =~ s/\s+\z//r;
}

sub identity { my ($who) = @_; spew("$dir/new", slurp($who->{cert}) . slurp($who->{key}), 0600); rename "$dir/new", "$dir/identity"; return }

# ---- a backend ----

my $backend = SL::Httpd->new(name => 'backend', modules => ['headers', 'http2', 'socache_shmcb', 'cgid']);
my $facts = 'Header set X-Facts "%{SSL_PROTOCOL}s %{SSL_SESSION_RESUMED}s %{SSL_CLIENT_S_DN_CN}s %{SSL_SSL_GROUP}s"' . "\n";
my $hosts = '';
for (['back', 'back.test', $cert, "Protocols h2 http/1.1\nSSLVerifyClient optional\nSSLCACertificateFile $client_ca"],
    ['stapled', 'stapled.test', $stapled, 'SSLUseStapling on'],
    ['revoked', 'revoked-back.test', $revoked, ''],
    ['picky', 'back.test', $cert, "SSLVerifyClient require\nSSLCACertificateFile $client_ca"],
    ['v12', 'back.test', $cert, 'SSLProtocol TLSv1.2'],
    ['ids', 'back.test', $cert, "SSLProtocol TLSv1.2\nSSLSessionTickets off"]) {
    my ($port, $name, $with, $more) = @$_;
    my $file = $with == $stapled ? "$dir/stapled" : $with->{full};
    $hosts .= "Listen 127.0.0.1:\${port_$port}\n<VirtualHost *:\${port_$port}>\nServerName $name\nSSLEngine on\nSSLCertificateFile $file\n"
        . "SSLCertificateKeyFile $with->{key}\n$more\n$facts</VirtualHost>\n";
}
$backend->config("AliasMatch ^/[\\w-]+/page\$ \${docs}/page\nSSLSessionCache shmcb:\${root}/cache(512000)\nLogLevel info\n" . cgi_conf('event') . "SetEnvIf Request_URI /cgi-bin/ ap_trust_cgilike_cl=1\n" . $hosts);
$backend->file('docs/page', "a page\n");
scripts($backend);
$backend->start_ok or BAIL_OUT('the backend does not start');

my $odd    = SL::TlsBackend->new($cert);
my $plain  = SL::TlsBackend->new(undef, says => 'http');
my $closes = SL::TlsBackend->new(undef, says => 'close');
my $silent = SL::TlsBackend->new(undef, says => 'nothing');

# ---- the proxy ----

identity($ann);
my $to = 'https://127.0.0.1:';
my $good = $to . $backend->port('back');
my $verify = "SSLProxyVerify require\nSSLProxyCACertificateFile $ca";
my %sections = (
    plain    => ["$good/", ''],
    verified => ["$good/", $verify],
    stranger => ["$good/", "SSLProxyVerify require\nSSLProxyCACertificateFile " . $certs->ca('other-ca')],
    system   => ["$good/", "SSLProxyVerify require\nSSLProxyCACertificateFile system"],
    pin      => ["$good/", 'SecureLayerProxyPin ' . pin_of($cert->{cert})],
    'pin-ca' => ["$good/", "$verify\nSecureLayerProxyPin sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= " . pin_of($ca)],
    'pin-unverified-ca' => ["$good/", 'SecureLayerProxyPin ' . pin_of($ca)],
    'pin-other' => ["$good/", 'SecureLayerProxyPin ' . pin_of($stapled->{cert})],
    identity => ["$good/", "SSLProxyMachineCertificateFile $dir/identity"],
    modern   => ["$good/", 'SSLPolicy modern'],
    'ocsp-revoked'      => qr/certificate was not accepted: the OCSP responder \S+ says it is revoked/,
    'picky'             => qr/asked for a certificate and got none: see SSLProxyMachineCertificateFile/,
    'picky-none'        => qr/asked for a certificate and got none: see SSLProxyMachineCertificateFile/,
    'picky-12'          => qr/asked for a certificate and got none: see SSLProxyMachineCertificateFile/,
    'ocsp-none'         => qr/it names no OCSP responder/,
    'modern-v12' => [$to . $backend->port('v12') . '/', 'SSLPolicy modern'],
    v12      => [$to . $backend->port('v12') . '/', $verify],
    ids      => [$to . $backend->port('ids') . '/', $verify],
    must     => ["$good/", "$verify\nSecureLayerProxyMustStaple on"],
    'must-stapled' => [$to . $backend->port('stapled') . '/', "$verify\nSecureLayerProxyMustStaple on\nSSLProxyCheckPeerName off"],
    ocsp     => [$to . $backend->port('stapled') . '/', "$verify\nSecureLayerProxyOCSP leaf\nSSLProxyCheckPeerName off"],
    'ocsp-revoked' => [$to . $backend->port('revoked') . '/', "$verify\nSecureLayerProxyOCSP leaf\nSSLProxyCheckPeerName off"],
    'ocsp-none'    => ["$good/", "$verify\nSecureLayerProxyOCSP leaf"],
    'ocsp-none-ok' => ["$good/", "$verify\nSecureLayerProxyOCSP on no_ocsp_for_cert_ok"],
    locked   => ["$good/", "SSLProxyMachineCertificateFile $dir/locked"],
    p12      => ["$good/", "SSLProxyMachineCertificateFile $ann->{p12}"],
    picky    => [$to . $backend->port('picky') . '/', "SSLProxyMachineCertificateFile $dir/stranger"],
    'picky-none' => [$to . $backend->port('picky') . '/', ''],
    'picky-12'   => [$to . $backend->port('picky') . '/', 'SSLProxyProtocol TLSv1.2'],
    odd      => [$to . $odd->port . '/', $verify],
    http     => [$to . $plain->port . '/', ''],
    closes   => [$to . $closes->port . '/', ''],
    silent   => [$to . $silent->port . '/', ''],
    off      => ["$good/", 'SSLProxyEngine off'],
);

sub config {
    my (%only) = @_;
    my $text = "Listen 127.0.0.1:\${port_http}\nLogLevel info ssl:debug\nSSLProxyEngine on\nSecureLayerHandshakeTimeout 2\nSSLPassPhraseDialog exec:$dir/phrase\n";
    for my $name (sort keys %sections) {
        my ($url, $settings) = @{ $sections{$name} };
        $text .= "<Proxy ${url}$name/>\n$settings\n</Proxy>\n" if $settings;
    }
    # The path tells the section; what comes behind it is for the backend.
    for my $name (sort keys %sections) {
        my ($url) = @{ $sections{$name} };
        $text .= "ProxyPass /$name/ ${url}$name/ disablereuse=on\n";
    }
    $text =~ s{^ProxyPass /odd/ .*}{$& timeout=2}m;
    return $text . "ProxyPass /kept/ $good/\nProxyPass /h2/ h2://127.0.0.1:" . $backend->port('back') . "/\n";
}

my $proxy = SL::Httpd->new(name => 'proxy', modules => ['proxy_http', 'proxy_http2', 'http2']);
my $frame = '<VirtualHost *:${port_http}>' . "\nServerName front.test\n</VirtualHost>\n";
$proxy->config(config() . $frame);
$proxy->start_ok or BAIL_OUT('the proxy does not start');

# Status, and X-Facts; the lines that the proxy logged go to ->{log}.
sub get {
    my ($path, @args) = @_;
    $proxy->mark;
    my $r = run(['curl', '-s', '-i', '-m', 20 * slow(), @args, 'http://127.0.0.1:' . $proxy->port('http') . $path]);
    my ($code)  = $r->{out} =~ m{\AHTTP/\S+ (?:100 .*?\r\n\r\nHTTP/\S+ )?(\d+)}s;
    my ($facts) = $r->{out} =~ /^X-Facts: (.*?)\r?$/m;
    (my $body = $r->{out}) =~ s/\AHTTP.*?\r\n\r\n//s;
    $body =~ s/\AHTTP.*?\r\n\r\n//s;
    return { code => $code // 0, facts => $facts // '', status => $r->{status}, body => $body, log => $proxy->new_log };
}

# ---- who is let in ----

like($proxy->error_log, qr/SL0170: .*backends are not verified/, 'a proxy that verifies nothing says so at start');
is(get("/$_/page")->{code}, 200, "$_: served") for qw(plain verified ocsp ocsp-none-ok pin pin-ca identity modern kept);
my %refused = (
    stranger            => qr/unable to get (?:local )?issuer certificate|self.signed certificate/,
    system              => qr/unable to get (?:local )?issuer certificate|self.signed certificate/,
    'pin-other'         => qr/the key of its certificate is none that SecureLayerProxyPin allows/,
    'pin-unverified-ca' => qr/the key of its certificate is none that SecureLayerProxyPin allows/,
    must                => qr/it stapled no OCSP answer/,
    'modern-v12'        => qr/protocol versions? of SSLProxyProtocol|\(version\)/,
    http                => qr/does not speak TLS on that port/,
    closes              => qr/closed the connection before the handshake was complete/,
    silent              => qr/\(timeout\)/,
);
for my $name (sort keys %refused) {
    my $r = get("/$name/page");
    is($r->{code}, 502, "$name: 502");
    my ($line) = $r->{log} =~ /SL0172: (.*)/;
    like($line, qr/^no TLS with backend 127\.0\.0\.1 \(127\.0\.0\.1:\d+\) .*name checked: 127\.0\.0\.1;/, '... and which backend');
    like($line, $refused{$name}, '... and why');
    my $lines = () = $r->{log} =~ /SL0172/g;
    is($lines, 1, '... in one line');
}
my $off = get('/off/page');
is($off->{code}, 500, 'SSLProxyEngine off in a section: 500');
like($off->{log}, qr/AH01961: .*SSLProxyEngine is off/, '... and why');

# ---- stapled answers ----

my $last;
ok(wait_until(sub { $last = get('/must-stapled/page'); $last->{code} == 200 }, 20 * slow()), 'a backend with a stapled answer is served')
    or diag($last->{log}, $backend->error_log);

# ---- sessions ----

for my $name (qw(verified v12 ids)) {
    get("/$name/page");
    my $resumed = grep { get("/$name/page")->{facts} =~ /^\S+ Resumed / } 1 .. 6;
    cmp_ok($resumed, '>', 2, "$name: sessions are resumed");
}
get('/plain/page');
is(get('/stranger/page')->{code}, 502, 'a session of one section opens no other');

# ---- certificates for backends ----

like(get('/identity/page')->{facts}, qr/ tls-ann /, 'the backend gets a certificate');
like(get('/locked/page')->{facts}, qr/ tls-locked /, '... whose key is encrypted');
like(get('/p12/page')->{facts}, qr/ tls-ann /, '... from a PKCS#12 file');
identity($bob);
ok(wait_until(sub { get('/identity/page')->{facts} =~ / tls-bob / }, 20 * slow()), '... and the new one once the file has changed');

# ---- bodies, and their ends ----

spew("$dir/body", pattern(3000000));
is(get('/kept/cgi-bin/digest.pl', '-T', "$dir/body", '-H', 'Expect: 100-continue')->{body}, digest(3000000), 'a body goes there, asked for by 100-continue');
is(length get('/kept/cgi-bin/bytes.pl?2000000')->{body}, 2000000, '... and comes from there');
my $whole = get('/odd/whole');
is("$whole->{code} $whole->{status} " . length $whole->{body}, '200 0 1000', 'an answer that close_notify ends is whole');
isnt(get("/odd/$_")->{status}, 0, "$_: the client learns that it is not") for qw(cut short);
like(get('/odd/cut')->{log}, qr/SL0174: .*may not be all/, '... and the log why');
is(get("/odd/$_")->{code}, 502, "$_: 502") for qw(nothing reset);
is(get('/odd/stall')->{code}, 502, 'a backend that stalls: 502, after the timeout of its worker');
is(get('/odd/early', '-T', "$dir/body")->{code}, 403, 'an early answer comes through');

# ---- HTTP/2 ----

my $h2 = get('/h2/page');
is($h2->{code}, 200, 'HTTP/2 to a backend');
is(get('/kept/page')->{code}, 200, 'it still serves');
$proxy->stop;

# ---- what can't be ----

mkdir "$dir/crowd";
spew("$dir/crowd/$_", 'x') for 1 .. 1001;
my %wrong = (
    "SSLProxyMachineCertificatePath $dir/crowd"  => qr/SSLProxyMachineCertificatePath: .*crowd: holds more than 1000 files/,
    "SSLProxyCACertificateFile $dir/gone"        => qr/SSLProxyCACertificateFile: .*gone: No such file/,
    'SSLProxyVerify perhaps'                     => qr/SSLProxyVerify: does not know 'perhaps'/,
    "SSLProxyMachineCertificateFile $ann->{key}" => qr/SSLProxyMachineCertificateFile: .*holds no certificate/,
    'SSLProxyCARevocationCheck leaf'             => qr/AH01899/,
    'SecureLayerProxyPin md5//abc'               => qr/SecureLayerProxyPin: 'md5\/\/abc' is no pin/,
    'SecureLayerProxyOCSP on'                    => qr/SecureLayerProxyOCSP: .*only about certificates that are verified/,
    'SSLProxyCipherSuite NOTHING'                => qr/AH01898.*no usable cipher suite/,
);
for my $line (sort keys %wrong) {
    my $httpd = SL::Httpd->new(name => 'wrong', modules => ['proxy_http']);
    $httpd->config("Listen 127.0.0.1:\${port_http}\n<Proxy https://back.test/>\nSSLProxyEngine on\n$line\n</Proxy>\n");
    my $test = $httpd->configtest;
    isnt($test->{status}, 0, "httpd -t refuses $line");
    like($test->{err} . $test->{out} . $httpd->said, $wrong{$line}, '... and says what is wrong');
}

# ---- other servers ----

my %servers = (
    s_server => sub { ['openssl', 's_server', '-accept', "127.0.0.1:$_[0]", '-www', '-cert', $cert->{full}, '-key', $cert->{key}, '-quiet'] },
    gnutls   => sub { ['gnutls-serv', '--http', '-p', $_[0], '--x509certfile', $cert->{full}, '--x509keyfile', $cert->{key}, '-q'] },
    nginx    => sub {
        spew("$dir/nginx.conf", "daemon off; master_process off; pid $dir/nginx.pid; error_log $dir/nginx.log; events {}\nhttp { access_log off; "
            . join(' ', map { "${_}_temp_path $dir/nginx-$_;" } qw(client_body proxy fastcgi uwsgi scgi))
            . " server { listen 127.0.0.1:$_[0] ssl; ssl_certificate $cert->{full}; ssl_certificate_key $cert->{key}; return 200 'nginx'; } }\n");
        return ['nginx', '-c', "$dir/nginx.conf", '-e', "$dir/nginx.log"];
    },
    haproxy  => sub {
        spew("$dir/haproxy.pem", slurp($cert->{full}) . slurp($cert->{key}), 0600);
        spew("$dir/haproxy.cfg", "defaults\n mode http\n timeout client 20s\n timeout server 20s\n timeout connect 20s\nfrontend f\n"
            . " bind 127.0.0.1:$_[0] ssl crt $dir/haproxy.pem\n http-request return status 200 content-type text/plain string haproxy\n");
        return ['haproxy', '-f', "$dir/haproxy.cfg"];
    },
);
my %port = map { $_ => free_port() } sort keys %servers;
my %pid  = map { $_ => start($servers{$_}->($port{$_}), stdout => "$dir/$_.out", stderr => "$dir/$_.out") } sort keys %servers;
$proxy = SL::Httpd->new(name => 'others', modules => ['proxy_http', 'proxy_balancer', 'proxy_hcheck']);
my $forward = SL::Httpd->new(name => 'forward', tls => 'none', modules => ['proxy_connect']);
$forward->config("Listen 127.0.0.1:\${port_http}\nProxyRequests on\nAllowCONNECT " . $backend->port('back') . "\n");
$forward->start_ok or BAIL_OUT('the forward proxy does not start');
$proxy->config("Listen 127.0.0.1:\${port_http}\nSSLProxyEngine on\n$verify\nProxyRemote $good http://127.0.0.1:" . $forward->port('http') . "\nProxyPass /via/ $good/ disablereuse=on\n"
    . join('', map { "ProxyPass /$_ https://127.0.0.1:$port{$_}/ disablereuse=on\n" } sort keys %port)
    . "<Proxy balancer://both>\nBalancerMember https://127.0.0.1:$port{nginx} hcmethod=GET hcuri=/ hcinterval=1 hcpasses=1 hcfails=1\n"
    . "BalancerMember https://127.0.0.1:" . $closes->port . " hcmethod=GET hcuri=/ hcinterval=1 hcpasses=1 hcfails=1\n</Proxy>\nProxyPass /both/ balancer://both/\n");
$proxy->start_ok or BAIL_OUT('the proxy does not start');
for my $name (sort keys %port) {
    ok(wait_until(sub { get("/$name")->{code} == 200 }, 20 * slow()), "$name: served, verified");
    my $served = grep { get("/$name")->{code} == 200 } 1 .. 5;
    is($served, 5, '... again and again, with sessions');
}
# It may have been found before the last get(), which marks the log.
my $found = qr/Health check DISABLING https:..127.0.0.1:${\ $closes->port}/;
ok(wait_until(sub { $proxy->error_log =~ $found }, 20 * slow()), 'the health check finds the member that is down');
my $served = grep { get('/both/')->{code} == 200 } 1 .. 6;
is($served, 6, '... and the balancer uses the other one');
is(get('/via/page')->{code}, 200, 'a backend behind another proxy (CONNECT)') for 1 .. 2;
like($forward->access_log, qr/CONNECT 127/, '... by which it went');
$proxy->stop;
$forward->stop;
stop_process($pid{$_}, timeout => 5) for sort keys %pid;
$backend->stop;
done_testing;
