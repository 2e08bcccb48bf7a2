# A real browser gets on with the module: HTTP/2 and HTTP/1.1, virtual hosts by name, long and split hellos, keep-alive, big
# bodies both ways, client certificates; it refuses what it should, and the log says why.
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Browser;
use SL::Certs;
use SL::Command qw(slurp spew);
use SL::Conf qw(tls_host page);
use SL::Httpd;
use SL::Relay;

my $certs = SL::Certs->new;
my $httpd = SL::Httpd->new(modules => [qw(http2 cgid)]);
my %cert  = map { $_ => $certs->server($_, type => 'ecdsa') } qw(one.test client.test tls12.test section.test);
$cert{'two.test'}   = $certs->server('two.test', type => 'rsa');
$cert{'wrong.test'} = $certs->server('right.test', type => 'ecdsa');
my $shared = $certs->server('shared.test', type => 'ecdsa', names => ['*.shared.test']);
my $ann    = $certs->client('ann');

my @names = qw(one.test two.test wrong.test client.test tls12.test section.test a.shared.test b.shared.test c.shared.test);
page($httpd, @names);
# Without a word on its icon the browser asks for one in the background, and a reload at that moment needs another connection.
my $iconless = qq(<!DOCTYPE html><link rel="icon" href="data:,">\nthis is one.test\n);
$httpd->file('docs/one.test/index.html', $iconless);
$httpd->file('cgi/env', <<'CGI');
#!/usr/bin/perl
print "Content-Type: text/plain\n\n", map {"$_=$ENV{$_}\n"} sort keys %ENV;
CGI
$httpd->file('cgi/upload', <<'CGI');
#!/usr/bin/perl
# A page with a form for a file; says of what was sent how long it is, and its SHA-256.
use Digest::SHA qw(sha256_hex);
if ($ENV{REQUEST_METHOD} eq 'GET') {
    print "Content-Type: text/html\n\n<!DOCTYPE html><form method=post enctype=multipart/form-data>",
        "<input type=file name=file><button type=submit>Send</button></form>";
    exit;
}
my ($boundary) = $ENV{CONTENT_TYPE} =~ /boundary=(\S+)/;
binmode STDIN;
my $body = do { local $/; <STDIN> };
my ($file) = $body =~ /\r\n\r\n(.*)\r\n--\Q$boundary\E--\r\n\z/s;
print "Content-Type: text/plain\n\n", length $file, ' ', sha256_hex($file), "\n";
CGI
my $big = pack 'L*', map { int rand 0xffffffff } 1 .. 2_621_440;    # 10 MB
$httpd->file('docs/one.test/get.html', '<!DOCTYPE html><a href="big.bin" download>10 MB</a>');
$httpd->file('docs/one.test/big.bin',  $big);
$httpd->file("docs/one.test/many/$_",  "piece $_" . '.' x (137 * $_)) for 1 .. 60;
spew($httpd->root . '/sent', substr $big, 0, 3_000_001);

my @one = ('SSLClientHelloVars on', 'SSLOptions +StdEnvVars', 'ScriptAlias /cgi/ "${cgi}/"');
my @ask = ('SSLVerifyClient require', "SSLCACertificateFile \"@{[$certs->ca('client-ca')]}\"", @one);
$httpd->config(join '', <<'CONF',
Listen 127.0.0.1:${port_https}
Listen 127.0.0.1:${port_http11}
Protocols h2 http/1.1
CONF
    tls_host('one.test', $cert{'one.test'}, @one),
    tls_host('two.test', $cert{'two.test'}),
    tls_host('wrong.test', $cert{'wrong.test'}),
    tls_host('client.test', $cert{'client.test'}, @ask),
    tls_host('tls12.test', $cert{'tls12.test'}, @ask, 'SSLProtocol TLSv1.2'),
    tls_host('section.test', $cert{'section.test'}, "SSLCACertificateFile \"@{[$certs->ca('client-ca')]}\"",
        '<Location /members>', 'SSLVerifyClient require', '</Location>'),
    tls_host('a.shared.test', $shared),
    tls_host('b.shared.test', $shared),
    tls_host('c.shared.test', $shared, 'SSLProtocol TLSv1.3'),
    tls_host({ name => 'one.test', port => 'http11' }, $cert{'one.test'}, @one, 'Protocols http/1.1'));
$httpd->start_ok or BAIL_OUT('httpd does not start');

my $relay = SL::Relay->new(to => $httpd->port('https'), up_piece => 1200);
my %port  = (h2 => $httpd->port('https'), 'http/1.1' => $httpd->port('http11'), split => $relay->port);
my %resolve = map { $_ => '127.0.0.1' } @names;
sub url { my ($name, $path, $port) = @_; return "https://$name:" . $port{ $port || 'h2' } . ($path || '/') }

# One browser walks all of it; %got keeps the answers by name.
sub walk {
    my ($browser, @steps) = @_;
    my (@names, @do, %got);
    while (my ($name, $step) = splice @steps, 0, 2) { push @names, $name; push @do, $step }
    @got{@names} = $browser->visit(@do);
    return \%got;
}
sub go { return { do => 'goto', url => url(@_) } }

my $fetch_all = <<'JS';
(async () => {
    const texts = await Promise.all(Array.from({ length: 60 }, (_, n) => fetch(`many/${n + 1}`).then((r) => r.text())));
    return texts.map((text, n) => (text === `piece ${n + 1}` + '.'.repeat(137 * (n + 1)) ? 1 : 0)).reduce((a, b) => a + b);
})()
JS

my $trusting = SL::Browser->new(trust => [$certs->ca('ca')], resolve => \%resolve);
my @both = ('h2', 'http/1.1');
my $got = walk($trusting,
    (map { ("page $_" => go('one.test', '/', $_), "again $_" => { do => 'reload' }, "env $_" => go('one.test', '/cgi/env', $_)) } @both),
    (map { ("at $_" => go('one.test', '/', $_), "many $_" => { do => 'script', code => $fetch_all }) } @both),
    (map { ("get $_" => { do => 'download', url => url('one.test', '/get.html', $_), to => $httpd->root . "/got-$_" =~ s{http/}{}r }) } @both),
    (map { ("put $_" => { do => 'upload', url => url('one.test', '/cgi/upload', $_), file => $httpd->root . '/sent' }) } @both),
    (map { ("name $_" => go($_)) } grep { !/^(?:client|tls12|wrong|section)/ } @names),
    'public' => go('section.test'),
    'members' => go('section.test', '/members/'),
    'after' => go('section.test'),
    'name wrong.test' => go('wrong.test'),
    'away' => { do => 'fresh' },
    'anew' => go('one.test', '/cgi/env'),
    'split' => go('one.test', '/cgi/env', 'split'),
);
diag 'Chromium ' . $trusting->version;

sub env_of { my ($answer) = @_; return { ($answer->{body} || '') =~ /^(\w+)=(.*)$/mg } }

for my $http (@both) {
    my ($page, $again, $env) = map { $got->{"$_ $http"} } qw(page again env);
    is($page->{body}, $iconless, "$http: a page loads without a certificate error") or diag $page->{error};
    is($page->{protocol}, $http, '... by this protocol');
    is("$page->{state} $page->{tls}{subjectName}", 'secure one.test', '... and the browser holds it for secure');
    is($again->{status}, 200, '... it reloads');
    ok($again->{reused}, '... on the connection that is there');
    is($again->{connection}, $page->{connection}, '... and no other');

    my ($var, $tls) = (env_of($env), $page->{tls});
    is(lc "SSL_PROTOCOL TLSv1.3 $tls->{protocol}", lc "SSL_PROTOCOL $var->{SSL_PROTOCOL} TLS 1.3", '... SSL_PROTOCOL is what the browser says');
    like($var->{SSL_CIPHER}, qr/^TLS_$tls->{cipher}_SHA\d+$/, '... SSL_CIPHER too');
    is(lc $var->{SSL_KEX_GROUP}, lc $tls->{keyExchangeGroup}, '... SSL_KEX_GROUP too');
    is($var->{SSL_ALPN}, $http, '... SSL_ALPN too');
    is($var->{SSL_TLS_SNI}, 'one.test', '... SSL_TLS_SNI too');
    is($var->{SSL_CLIENTHELLO_ALPN}, unpack('H*', "\x02h2\x08http/1.1"), '... both protocols were offered');
    like($var->{SSL_CLIENTHELLO_GROUPS}, qr/^(?:....)*11ec/, '... the post-quantum group X25519MLKEM768 too');

    is($got->{"many $http"}{value}, 60, '... 60 files at once are complete');
    my $saved = $httpd->root . "/got-$http" =~ s{http/}{}r;
    is($got->{"get $http"}{failure} // $got->{"get $http"}{error}, undef, '... a 10 MB download comes to its end');
    is(sha256_hex(slurp($saved)), sha256_hex($big), '... with the right hash');
    is($got->{"put $http"}{body}, "3000001 @{[sha256_hex(substr $big, 0, 3_000_001)]}\n", '... a file sent by form arrives whole')
        or diag explain $got->{"put $http"};
}

# JA4 as https://github.com/FoxIO-LLC/ja4 defines it, from what the other variables say was offered.
sub ja4 {
    my ($var) = @_;
    my $parts = sub { grep { !/^(.a)\1$/ } ($var->{"SSL_CLIENTHELLO_$_[0]"} || '') =~ /(....)/g };    # without GREASE
    my ($short, @ciphers, @extensions) = (sub { substr sha256_hex(join '_', map { join ',', @$_ } grep {@$_} @_), 0, 12 });
    @ciphers    = $parts->('CIPHERS');
    @extensions = $parts->('EXTENSIONS');
    return sprintf 't13d%02d%02dh2_%s_%s', scalar @ciphers, scalar @extensions, $short->([sort @ciphers]),
        $short->([sort grep { !/^(?:0000|0010)$/ } @extensions], [$parts->('SIG_ALGOS')]);
}

# Chromium shuffles its extensions: JA3 sees another client each time.
my %hello = map { $_ => env_of($got->{$_}) } 'env h2', 'env http/1.1', 'anew', 'split';
is($hello{$_}{SSL_JA4}, ja4($hello{$_}), "SSL_JA4 is what its definition says: $_") for sort keys %hello;
isnt($hello{'env h2'}{SSL_JA3_HASH}, $hello{anew}{SSL_JA3_HASH}, 'two connections have two JA3 fingerprints');
isnt($got->{'env h2'}{connection}, $got->{anew}{connection}, '... two connections they were');

my ($first) = $relay->records(1, 'up');
cmp_ok($first->{length}, '>', 1200, "the browser's hello is longer than a packet");
is($got->{split}{protocol}, 'h2', '... and is understood in pieces') or diag explain $got->{split};

for my $name (qw(one.test two.test a.shared.test b.shared.test c.shared.test)) {
    like($got->{"name $name"}{body}, qr/^this is \Q$name\E$/m, "virtual host $name") or diag explain $got->{"name $name"};
}
is($got->{'name two.test'}{tls}{subjectName}, 'two.test', '... has its own certificate');
# The browser may send requests for all of these hosts over one connection, as one certificate has their names: where that can't
# be, 421 makes it open another.
my %by = map { $_ => $got->{"name $_.shared.test"}{connection} // "none for $_" } qw(a b c);
isnt($by{c}, $by{a}, 'hosts with one certificate but two policies do not share a connection');
unlike($httpd->access_log, qr/^(?!c\.shared\.test )\S+ 421 /m, '... no other host is misdirected');

is($got->{'name wrong.test'}{error}, 'ERR_CERT_COMMON_NAME_INVALID', 'a certificate for another name is refused by the browser');
like($httpd->error_log, qr/SL0104: .*name asked for wrong\.test.*the client does not accept the certificate in \Q$cert{'wrong.test'}{full}\E/,
    '... and the log says so');

# A browser that does not know our CA.
{
    $httpd->mark;
    my ($refused) = SL::Browser->new(resolve => \%resolve)->visit(go('one.test'));
    is($refused->{error}, 'ERR_CERT_AUTHORITY_INVALID', 'a browser that does not know the CA refuses');
    my $line = $httpd->wait_for_log(qr/SL0104: .*/) // '';
    like($line, qr/name asked for one\.test; client offered TLSv1\.3 TLSv1\.2, ALPN h2,http\/1\.1;/, '... the log names what it asked for');
    like($line, qr/the client does not accept the certificate in \Q$cert{'one.test'}{full}\E, issued by .*SL Test CA: .*not trusted/,
        '... and says why in plain words');
}

# A section that wants a certificate, which no browser can be asked for on an open connection with TLS 1.3.
is($got->{public}{body}, "this is section.test\n", 'a page beside a section that wants a client certificate');
is($got->{members}{status}, 403, '... the section denies') or diag explain $got->{members};
like($got->{members}{body}, qr/This page needs a client certificate\..*can't send one on a connection that is open already/s, '... and the page says why');
like($got->{members}{body}, qr/The administrator can have the server ask for the certificate when the connection is made/, '... and what to do');
is($got->{after}{status}, 200, '... the rest of the host serves on');

# Client certificates. Chromium asks its user which one to send, unless its administrator has said so.
SKIP: {
    skip 'only root can write the policy that lets Chromium send a client certificate by itself', 11 if $> != 0;
    my @asking = map { url($_, '/cgi/env') } qw(client.test tls12.test);
    my $policy = SL::Browser::policy(AutoSelectCertificateForUrls =>
            [map { /^(https:..[^\/]+)/; qq({"pattern":"$1","filter":{"ISSUER":{"CN":"SL Test Client CA"}}}) } @asking]);
    my @has = (trust => [$certs->ca('ca')], resolve => \%resolve);
    my @shown = SL::Browser->new(@has, certificates => [$ann->{p12}])->visit(map { ({ do => 'goto', url => $_ }, { do => 'reload' }) } @asking);
    for my $version ('TLSv1.3', 'TLSv1.2') {
        my ($page, $again) = splice @shown, 0, 2;
        my $var = env_of($page);
        is("$page->{protocol} " . ($var->{SSL_PROTOCOL} // $page->{error}), "h2 $version", "$version: a browser with a client certificate comes in");
        is(($var->{SSL_CLIENT_VERIFY} // 'none') . ' ' . ($var->{SSL_CLIENT_S_DN_CN} // ''), 'SUCCESS ann', '... and is known by name');
        is($again->{status}, 200, '... and may come again');
    }
    $httpd->mark;
    # The browser may find the connection closed before it has read the alert.
    my $refused = qr/^ERR_(?:BAD_SSL_CLIENT_AUTH_CERT|SOCKET_NOT_CONNECTED|CONNECTION_CLOSED)$/;
    my ($without, undef, $without12) = SL::Browser->new(@has)->visit({ do => 'goto', url => $asking[0] }, { do => 'fresh' }, { do => 'goto', url => $asking[1] });
    like($without->{error}, $refused, 'TLSv1.3: a browser without one is refused');
    like($without12->{error}, $refused, 'TLSv1.2: a browser without one is refused');
    for my $name ('client.test', 'tls12.test') {
        ok($httpd->wait_for_log(qr/SL0104: .*\(client-certificate\).*\Q$name\E:\d+ requires a client certificate \(SSLVerifyClient\) and the client sent none/),
            "... and the log says why: $name");
    }
    # Another run beside may put one of its own there.
    my $file = '/etc/chromium/policies/managed/securelayer-test.json';
    my $id = sub { join '.', map { $_ // '' } (stat $file)[1, 10] };
    my $ours = $id->();
    undef $policy;
    isnt($id->(), $ours, '... the policy is gone');
}

$relay->stop;
$httpd->stop;
done_testing;
