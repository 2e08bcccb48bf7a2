# Sections may ask for client certificates and suites of their own: the client is asked anew, with TLS 1.2 and 1.3, whatever
# it was sending; who can't be let in learns why; and nobody gets more or less than the section says.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Bodies qw(pattern digest scripts cgi_modules cgi_conf);
use SL::Certs;
use SL::Client;
use SL::Command qw(spew scratch_dir);
use SL::Conf qw(tls_host page);
use SL::Httpd;
use SL::Parity;

my $certs    = SL::Certs->new;
my $one      = $certs->server('one.test', type => 'rsa', names => [map {"$_.test"} qw(one optional demanding)]);
my $ca       = $certs->ca('client-ca');
my $ann      = $certs->client('ann');
my $below    = $certs->client('below', issuer => 'client-intermediate');
my $expired  = $certs->client('late', end => '-1d');
my $stranger = $certs->client('stranger', issuer => 'other-ca');
my $revoked  = $certs->client('gone', revoked => 1);
my $crl      = $certs->crl('client-ca');
my $dir      = scratch_dir('per-directory');
my $mpm      = $ENV{SL_MPM} || 'event';

# ---- the server ----

my @trust = ("SSLCACertificateFile \"$ca\"", "SSLCARevocationFile \"$crl\"", 'SSLCARevocationCheck leaf no_crl_for_cert_ok', 'SSLProtocol -all +TLSv1.2 +TLSv1.3');
my %section = (
    require    => 'SSLVerifyClient require',
    optional   => 'SSLVerifyClient optional',
    anybody    => 'SSLVerifyClient optional_no_ca',
    none       => 'SSLVerifyClient none',
    deep       => "SSLVerifyClient require\nSSLVerifyDepth 2",
    flat       => "SSLVerifyClient require\nSSLVerifyDepth 0",
    small      => "SSLVerifyClient require\nSSLRenegBufferSize 1000",
    nobody     => "SSLVerifyClient require\nSSLRenegBufferSize 0",
    strong     => 'SSLCipherSuite AES256',
    weak       => 'SSLCipherSuite TLSv1.3 TLS_CHACHA20_POLY1305_SHA256',
    either     => "SSLVerifyClient require\nSatisfy any\nAuthType Basic\nAuthName x\nAuthUserFile \"\${docs}/users\"\nRequire valid-user",
    password   => "SSLVerifyClient optional\nSSLRequire false\nSatisfy any\nAuthType Basic\nAuthName x\nAuthUserFile \"\${docs}/users\"\nRequire valid-user",
    page       => "SSLVerifyClient require\nErrorDocument 403 /sorry.html",
    inside     => "SSLVerifyClient require\nErrorDocument 403 /deep/index.html",
);
my $users = "ann:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n";    # secret
my @modules = ('headers', 'authn_core', 'authn_file', 'auth_basic', 'authz_user', 'access_compat', 'include', 'filter',
        'rewrite', ($mpm eq 'prefork' ? () : 'http2'), cgi_modules($mpm));
my @hosts = qw(one optional demanding);

sub config {
    my ($httpd) = @_;
    my %said = %section;
    delete $said{weak} if $httpd->tls eq 'mod_ssl';    # does not know TLS 1.3 suites in sections
    $httpd->config("Listen 127.0.0.1:\${port_https}\nHeader always set X-Who \"%{SSL_CLIENT_S_DN_CN}s\"\nHeader always set X-Verify \"%{SSL_CLIENT_VERIFY}s\"\n"
            . "Header always set X-Cipher \"%{SSL_CIPHER}s\"\nHeader always set X-Session \"%{SSL_SESSION_RESUMED}s\"\n"
            . "SetEnvIf Request_URI /cgi-bin/ ap_trust_cgilike_cl=1\n" . ($mpm eq 'prefork' ? '' : "Protocols h2 http/1.1\n") . cgi_conf($mpm));
    for my $host (@hosts) {
        my $verify = { one => 'none', optional => 'optional', demanding => 'require' }->{$host};
        $httpd->config(tls_host("$host.test", $one, @trust, "SSLVerifyClient $verify",
            map({ my $name = $_; ("<Location /$name/>", split(/\n/, $said{$name}), '</Location>') } sort keys %said),
            '<Location /cgi-bin/require/>', 'SSLVerifyClient require', '</Location>', 'ScriptAlias /cgi-bin/require/ "${cgi}/"',
            '<If "%{REQUEST_URI} =~ m#/iffy#">', 'SSLVerifyClient require', '</If>',
            '<Directory "${docs}">', 'AllowOverride AuthConfig', 'Options +Includes', '</Directory>', 'AddOutputFilter INCLUDES .shtml'));
        page($httpd, "$host.test");
        $httpd->file("docs/$host.test/$_/index.html", "this is $_\n") for keys %section, 'ht', 'iffy', 'ht-cipher', 'ht-wrong';
        $httpd->file("docs/$host.test/sorry.html", "sorry page\n");
        $httpd->file("docs/$host.test/includes.shtml", "<!--#include virtual=\"/require/index.html\" -->\n");
        $httpd->file("docs/$host.test/ht/.htaccess", "SSLVerifyClient require\nSSLVerifyDepth 1\n");
        $httpd->file("docs/$host.test/ht-cipher/.htaccess", "SSLCipherSuite AES256\n");
        $httpd->file("docs/$host.test/ht-wrong/.htaccess", "SSLCipherSuite NONSENSE\n");
    }
    scripts($httpd);
    $httpd->file('docs/users', $users);
    return;
}

my $httpd = SL::Httpd->new(modules => \@modules);
config($httpd);
$httpd->start_ok or BAIL_OUT('httpd does not start');
my $client = SL::Client->new(port => $httpd->port('https'));
my %version = ('1.2' => ['--tls-max', '1.2'], '1.3' => ['--tlsv1.3']);

sub get {
    my ($version, $path, %o) = @_;
    my $host = delete $o{host} || 'one';
    return $client->curl("https://$host.test$path", %o, args => [@{ $version{$version} }, @{ $o{args} || [] }]);
}

# ---- every mode ----

my @cases = (    # path, certificate, code, who, verdict
    ['/',          undef,     200, '',         'NONE'],
    ['/',          $ann,      200, '',         'NONE'],
    ['/require/',  $ann,      200, 'ann',      'SUCCESS'],
    ['/require/',  undef,     403, '',         'NONE',        qr/needs a client certificate, and your browser or program sent none/],
    ['/require/',  $expired,  403, '',         qr/^FAILED:certificate has expired/, qr/has expired/],
    ['/require/',  $stranger, 403, '',         qr/^FAILED:/,  qr/was not issued by an authority that this server trusts/],
    ['/require/',  $revoked,  403, '',         qr/^FAILED:certificate revoked/, qr/has been revoked/],
    ['/require/',  $below,    403, '',         qr/^FAILED:certificate chain too long/, qr/not issued directly enough/],
    ['/optional/', $ann,      200, 'ann',      'SUCCESS'],
    ['/optional/', undef,     200, '',         'NONE'],
    ['/optional/', $expired,  403, '',         qr/^FAILED:certificate has expired/, qr/has expired/],
    ['/anybody/',  $stranger, 200, 'stranger', 'GENEROUS'],
    ['/anybody/',  $ann,      200, 'ann',      'SUCCESS'],
    ['/anybody/',  undef,     200, '',         'NONE'],
    ['/anybody/',  $expired,  403, '',         qr/^FAILED:certificate has expired/],
    ['/none/',     $ann,      200, '',         'NONE'],
    ['/deep/',     $below,    200, 'below',    'SUCCESS'],
    ['/deep/',     $ann,      200, 'ann',      'SUCCESS'],
    ['/flat/',     $ann,      403, '',         qr/^FAILED:certificate chain too long/],
    ['/ht/',       $ann,      200, 'ann',      'SUCCESS'],
    ['/ht/',       undef,     403, '',         'NONE'],
    ['/iffy/',     $ann,      200, 'ann',      'SUCCESS'],
    ['/iffy/',     undef,     403, '',         'NONE'],
);
for my $version ('1.2', '1.3') {
    for my $case (@cases) {
        my ($path, $cert, $code, $who, $verdict, $page) = @$case;
        my $r = get($version, $path, cert => $cert);
        my $name = "TLS $version, $path, " . ($cert ? $cert->{cert} =~ m{([^/]+)\.\w+$} : 'no certificate');
        is($r->{code}, $code, "$name: $code") or diag $r->{err}, $httpd->new_log =~ s{^.*:(?:warn|info|notice)\].*\n}{}gmr;
        is(($r->{headers}{'x-who'} // '') =~ s/^\(null\)$//r, $who, '... and it is who it should be');
        ref $verdict ? like($r->{headers}{'x-verify'}, $verdict, '... with the verdict') : is($r->{headers}{'x-verify'}, $verdict, '... with the verdict');
        like($r->{body}, $page, '... and the page says why') if $page;
    }
}

# ---- the virtual host asks already ----

for my $version ('1.2', '1.3') {
    my @asked = (['optional', '/require/', $ann, 200, 'ann'], ['optional', '/require/', undef, 403, ''], ['optional', '/none/', $ann, 200, 'ann'],
        ['optional', '/flat/', $ann, 403, ''], ['demanding', '/none/', $ann, 200, 'ann'], ['demanding', '/optional/', $ann, 200, 'ann']);
    for my $case (@asked) {
        my ($host, $path, $cert, $code, $who) = @$case;
        my $r = get($version, $path, host => $host, cert => $cert);
        is("$r->{code} " . (($r->{headers}{'x-who'} // '') =~ s/^\(null\)$//r), "$code $who", "TLS $version, $host.test$path: $code") or diag $r->{err};
    }
    isnt(get($version, '/none/', host => 'demanding')->{code}, 200, "TLS $version: a section takes nothing away from its host's demand");
}
for my $args (['-tls1_3'], ['-tls1_2', '-no_renegotiation']) {
    my $s = $client->s_client('optional.test', cert => $ann, args => $args, input => "GET /require/ HTTP/1.0\r\nHost: optional.test\r\n\r\n");
    like($s->{out}, qr/HTTP\/1\.1 200 .*this is require/ms, "@$args: a certificate that is known already needs no second look");
}
my $s = $client->s_client('one.test', cert => $ann, args => ['-tls1_3'], input => "GET /require/ HTTP/1.0\r\nHost: one.test\r\n\r\n");
like($s->{out}, qr/HTTP\/1\.1 403 .*lacks the post-handshake authentication of TLS/ms, 'a TLS 1.3 client that can not be asked later gets 403, and why');
like($s->{out}, qr/TLS 1\.2\. The administrator can have the server ask/, '... and what to do');
$s = $client->s_client('one.test', cert => $ann, args => ['-tls1_3', '-enable_pha'], input => "GET /require/ HTTP/1.0\r\nHost: one.test\r\n\r\n");
like($s->{out}, qr/HTTP\/1\.1 200 .*this is require/ms, '... with -enable_pha it gets the page');
$httpd->mark;
$s = $client->s_client('one.test', cert => $ann, args => ['-tls1_2', '-no_renegotiation'], input => "GET /require/ HTTP/1.0\r\nHost: one.test\r\n\r\n");
unlike($s->{out}, qr/this is require/, 'a TLS 1.2 client that refuses to renegotiate gets nothing');
$httpd->wait_for_log(qr/AH02261: Re-negotiation handshake failed/) ? pass('... which the log tells') : fail('... which the log tells');

# The client may not begin.
my $tls = $client->tls('one.test', args => ['-tls1_2'], commands => 1);
$tls->read_until(qr/^ *Extended master secret.*\n/m);
$tls->send("R\n");
my $refusal = $tls->read_to_end;
like(SL::Command::slurp($tls->{log}), qr/RENEGOTIATING/, 'the client begins a renegotiation');
unlike($refusal, qr{HTTP/1\.1 200}, '... which is the end of the connection');
$tls->close;

# ---- bodies ----

for my $version ('1.2', '1.3') {
    for my $size (0, 1, 1000, 20000, 131072) {
        spew("$dir/body", pattern($size));
        for my $how (['with its length', '-H', 'Expect:'], ['in chunks', '-H', 'Expect:', '-H', 'Transfer-Encoding: chunked']) {
            my ($name, @args) = @$how;
            my $r = get($version, '/cgi-bin/require/digest.pl', cert => $ann, args => [@args, '--data-binary', "\@$dir/body"]);
            is($r->{body}, digest($size), "TLS $version: a body of $size bytes $name arrives whole behind a new handshake") or diag $r->{code}, $r->{err};
            is($r->{headers}{'x-who'}, 'ann', '... and the client is known');
        }
    }
    spew("$dir/body", pattern(131073));
    my $r = get($version, '/cgi-bin/require/digest.pl', cert => $ann, args => ['-H', 'Expect:', '--data-binary', "\@$dir/body"]);
    is($r->{code}, 413, "TLS $version: one byte more than SSLRenegBufferSize: 413");
    $r = get($version, '/cgi-bin/require/digest.pl', cert => $ann, args => ['-H', 'Expect:', '-H', 'Transfer-Encoding: chunked', '--data-binary', "\@$dir/body"]);
    is($r->{code}, 413, '... in chunks too');
    $r = get($version, '/cgi-bin/require/digest.pl', cert => $ann, args => ['-H', 'Expect: 100-continue', '--data-binary', "\@$dir/body"]);
    is($r->{body}, digest(131073), '... but not if the client waits for leave to send it') or diag $r->{code};
    spew("$dir/body", pattern(1001));
    is(get($version, '/small/', cert => $ann, args => ['-H', 'Expect:', '--data-binary', "\@$dir/body"])->{code}, 413, '... with a limit of its own');
    is(get($version, '/nobody/', cert => $ann, args => ['-H', 'Expect:', '--data-binary', 'x'])->{code}, 413, '... 0 means none');
    is(get($version, '/nobody/', cert => $ann)->{code}, 200, '... which keeps nobody out who sends none');
}
like($httpd->error_log, qr/AH02018: request body exceeds maximum size \(131072\)/, 'the log says which limit');

# ---- suites ----

my $aes128 = ['--tls-max', '1.2', '--ciphers', 'ECDHE-RSA-AES128-GCM-SHA256'];
my $r = $client->curl('https://one.test/strong/', args => ['--tls-max', '1.2', '--ciphers', 'ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384']);
is("$r->{code} $r->{headers}{'x-cipher'}", '200 ECDHE-RSA-AES256-GCM-SHA384', 'SSLCipherSuite of a section: TLS 1.2 changes the suite');
$r = $client->curl('https://one.test/', args => $aes128);
is("$r->{code} $r->{headers}{'x-cipher'}", '200 ECDHE-RSA-AES128-GCM-SHA256', '... only there');
isnt($client->curl('https://one.test/strong/', args => $aes128)->{code}, 200, '... and who can not is kept out');
for my $path ('/strong/', '/ht-cipher/') {
    $r = $client->curl("https://one.test$path", args => ['--tls13-ciphers', 'TLS_AES_256_GCM_SHA384']);
    is($r->{code}, 200, "$path, TLS 1.3 with AES-256 is as good");
    $r = $client->curl("https://one.test$path", args => ['--tls13-ciphers', 'TLS_AES_128_GCM_SHA256']);
    is($r->{code}, 403, '... with AES-128 it is not');
    like($r->{body}, qr/stronger encryption than your connection has/, '... and the page says so');
}
is($client->curl('https://one.test/weak/', args => ['--tls13-ciphers', $_->[0]])->{code}, $_->[1], "a list of TLS 1.3 suites holds: $_->[0]")
    for ['TLS_CHACHA20_POLY1305_SHA256', 200], ['TLS_AES_256_GCM_SHA384', 403];
is($client->curl('https://one.test/ht-wrong/')->{code}, 500, 'a list without suites in .htaccess: 500');

# ---- connections with several requests ----

for my $version ('1.2', '1.3') {
    my $t = $client->tls('one.test', cert => $ann, args => ["-tls$version" =~ tr/./_/r, '-enable_pha']);
    my @seen = map { $t->send("GET $_ HTTP/1.1\r\nHost: one.test\r\n\r\n"); my $a = $t->response || {}; $a->{headers}{'x-who'} // '?' } '/', '/require/', '/require/', '/none/', '/deep/', '/optional/';
    is("@seen", '(null) ann ann ann ann ann', "TLS $version: who was asked once is known from then on, not before") or diag $httpd->new_log;
    $t->close;
    $t = $client->tls('one.test', cert => $ann, args => ["-tls$version" =~ tr/./_/r, '-enable_pha']);
    $t->send("GET /require/ HTTP/1.1\r\nHost: one.test\r\n\r\nGET / HTTP/1.1\r\nHost: one.test\r\n\r\n");
    my $all = $t->read_to_end;
    my $answers = () = $all =~ /^HTTP\/1\.1 \d+/mg;
    is($answers, 1, '... a request that was sent ahead of the certificate is not answered');
    like($all, qr/^HTTP\/1\.1 200.*^Connection: (?:Upgrade, )?close\r$/ms, '... the connection ends, which is said');
    $t->close;
}

# ---- sessions ----

for my $version ('1.2', '1.3') {
    my @v = ("-tls$version" =~ tr/./_/r, '-enable_pha');
    my $name = "$dir/session$version";
    my $first = $client->s_client('one.test', cert => $ann, args => [@v, '-sess_out', $name], input => "GET /require/ HTTP/1.0\r\nHost: one.test\r\n\r\n");
    like($first->{out}, qr/X-Who: ann/, "TLS $version: a session begun without a certificate, which is shown later");
  SKIP: {
        skip 'no session to resume', 1 unless -s $name;
        my $again = $client->s_client('one.test', args => [@v, '-sess_in', $name], input => "GET / HTTP/1.0\r\nHost: one.test\r\n\r\n");
        like($again->{out}, qr/X-Who: \(null\)/, '... resumed it knows nobody');
    }
}

# ---- HTTP/2 ----

SKIP: {
    skip 'no HTTP/2 with prefork', 6 if $mpm eq 'prefork';
    for my $version ('1.2', '1.3') {
        $r = get($version, '/require/', cert => $ann, http => 2);
        is("$r->{code} $r->{version}", '200 1.1', "TLS $version: HTTP/2 is sent to HTTP/1.1 for a new handshake") or diag $r->{err};
        $r = get($version, '/require/', cert => $ann, http => 2, host => 'optional');
        is("$r->{code} $r->{version}", '200 2', '... unless the client is known');
        $r = $client->curl('https://one.test/strong/', http => 2, args => [@{ $version{$version} }, $version eq '1.2' ? ('--ciphers', 'ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384') : ()]);
        is("$r->{code} $r->{version}", $version eq '1.2' ? '200 1.1' : '200 2', '... for another suite likewise');
    }
}

# ---- what else would let in, and other ways to a page ----

for my $version ('1.2', '1.3') {
    is(get($version, '/either/', cert => $ann)->{code}, 200, "TLS $version, Satisfy any: the certificate is enough");
    is(get($version, '/password/', args => ['-u', 'ann:secret'])->{code}, 200, '... a password would be right');
    is(get($version, '/either/', args => ['-u', 'ann:secret'])->{code}, 403, '... a password does not replace one that is required');
    $r = get($version, '/page/');
    is("$r->{code} $r->{body}", "403 sorry page\n", '... ErrorDocument is shown');
    $r = get($version, '/inside/');
    is($r->{code}, 403, '... one that is itself behind the demand: 403');
    unlike($r->{body}, qr/this is deep/, '... is not shown');
    $r = get($version, '/includes.shtml', cert => $ann);
    like($r->{body}, qr/this is require/, '... a sub-request asks too');
    unlike(get($version, '/includes.shtml')->{body}, qr/this is require/, '... and gets nothing without');
}

# ---- beside mod_ssl ----

my (@requests, %differs);
for my $version ('1.2', '1.3') {
    for my $case (@cases, ['/strong/', undef, 200], ['/ht-cipher/', undef, 200], ['/page/', undef, 403], ['/small/', $ann, 200], ['/includes.shtml', $ann, 200], ['/password/', undef, 401]) {
        my ($path, $cert, $code) = @$case;
        my $name = "TLS $version $path " . ($cert ? $cert->{cert} : 'nobody');
        push @requests, { name => $name, run => sub {
            my $r = $_[0]->curl("https://one.test$path", cert => $cert, args => $version{$version});
            return { code => $r->{code}, map { ($_ => $r->{headers}{$_}) } $r->{code} == 200 ? ('x-who', 'x-verify') : () };
        } };
        $differs{$name} = { row => 'per-directory client certificates', code => 403 } if $code == 403;
        $differs{$name} = { row => 'optional_no_ca', code => 200, 'x-verify' => 'GENEROUS' } if $path eq '/anybody/' && ($cert || 0) == $stranger;
    }
    for my $size (131072, 131073) {
        push @requests, map { my $how = $_; { name => "TLS $version $size $how", run => sub {
            spew("$dir/parity", pattern($size));
            my $r = $_[0]->curl('https://one.test/cgi-bin/require/digest.pl', cert => $ann, args => [@{ $version{$version} }, '-H', 'Expect:', '-H', $how, '--data-binary', "\@$dir/parity"]);
            return { code => $r->{code}, $r->{code} == 200 ? (body => $r->{body}) : () };
        } } } 'X-Nothing: x', 'Transfer-Encoding: chunked';
    }
    push @requests, map { my $path = $_; { name => "TLS $version HTTP/2 $path", run => sub {
        my $r = $_[0]->curl("https://one.test$path", cert => $ann, http => 2, args => $version{$version});
        return { code => $r->{code}, version => $r->{version}, who => $r->{headers}{'x-who'} };
    } } } '/', '/require/' if $mpm ne 'prefork';
}
parity(name => 'sections', config => \&config, modules => \@modules, requests => \@requests, differs => \%differs, mpm => $mpm)
    if -e '/usr/lib/apache2/modules/mod_ssl.so' && !$ENV{SL_SAN};

# ---- start ----

my $said = $httpd->error_log;
my $hint = qr/SL0007: \S+httpd\.conf:\d+: SSLVerifyClient: <Location \/require\/>: browsers will get 403 here from one\.test:\d+: .*SSLVerifyClient optional outside of sections/;
my @hints = grep { $_ =~ $hint } split /\n/, $said;
is(scalar @hints, 1, 'the start tells, once, of sections that browsers can not satisfy, where, and what to do');
unlike($said, qr/SL0007: .*(?:optional|demanding)\.test/, '... not of hosts that ask in time');
my $broken = SL::Httpd->new;
$broken->config("Listen 127.0.0.1:\${port_https}\n" . tls_host('one.test', $one, '<Location /x>', 'SSLCipherSuite NONSENSE', 'SSLCipherSuite TLSv1.3 NONSENSE', '</Location>'));
my $test = $broken->configtest;
isnt($test->{status}, 0, 'a list without suites in a section is refused at start');
like($test->{err}, qr/AH01898: \S+:\d+: SSLCipherSuite: <Location \/x>: no usable cipher suite in 'NONSENSE'/, '... with its place');
like($test->{err}, qr/AH10127: .*<Location \/x>: not usable as TLS 1\.3/, '... that of TLS 1.3 too');
$httpd->stop;
done_testing;
