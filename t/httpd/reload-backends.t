# CAs, CRLs and chain files for backends that change on disk count for the next connection without a restart: files and
# directories, for who is let in and for which of our certificates is shown. No session from before gets around them. What
# can't be used leaves those before in force.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Command qw(run scratch_dir slow slurp spew wait_until);
BEGIN { $ENV{SL_CERTS} = scratch_dir('sl-reload-backends') }    # somebody gets revoked
use SL::Certs;
use SL::Httpd;

plan skip_all => 'with one process there is a keeper too, but no time to wait for it' if ($ENV{SL_SAN} || '') eq 'tsan';

my $certs = SL::Certs->new;
my @at    = (names => ['back.test', 'IP:127.0.0.1']);
my $cert  = $certs->server('back.test', @at);
my $short = $certs->server('short.test', @at, issuer => 'intermediate');
my $under = $certs->client('under', issuer => 'client-intermediate');
my %ca    = map { $_ => slurp($certs->ca($_)) } qw(ca other-ca intermediate client-intermediate);
my $crl   = slurp($certs->crl('ca'));

# A backend that shows its leaf alone, and one that asks for a certificate of the client CA.
my $backend = SL::Httpd->new(name => 'backend', modules => ['headers', 'socache_shmcb']);
my $host    = sub {
    my ($port, $leaf, $more) = @_;
    return "Listen 127.0.0.1:\${port_$port}\n<VirtualHost *:\${port_$port}>\nServerName back.test\nSSLEngine on\nSSLCertificateFile $leaf->{cert}\n"
        . "SSLCertificateKeyFile $leaf->{key}\n${more}Header set X-Session \"%{SSL_SESSION_RESUMED}s\"\n</VirtualHost>\n";
};
$backend->config("AliasMatch ^/[\\w-]+/page\$ \${docs}/page\nSSLSessionCache shmcb:\${root}/cache(512000)\n" . $host->('back', $cert, '')
        . $host->('short', $short, '')
        . $host->('asks', $cert, "SSLVerifyClient require\nSSLVerifyDepth 2\nSSLCACertificateFile " . $certs->ca('client-ca') . "\n"));
$backend->file('docs/page', "a page\n");
$backend->start_ok or BAIL_OUT('the backend does not start');

# One child: sessions with backends are a child's own.
my $proxy = SL::Httpd->new(name => 'proxy', modules => ['proxy_http'], mpm_settings => "StartServers 1\nServerLimit 1\nThreadsPerChild 8\nMaxRequestWorkers 8\n");
my $dir   = $proxy->root . '/work';
sub put_file { my ($path, $text) = @_; spew("$path.new", $text, 0600); rename "$path.new", $path or die "$path: $!" }
# What links by hash lead to has to be readable for children too.
sub put_hashed {
    my ($name, $ca, $from) = @_;
    my $made = $certs->hashed("$name-$ca", $from);
    for my $file (glob "$made/*.*[0-9]") { my $as = "$dir/$name/" . $file =~ s{.*/}{}r; spew("$as.new", slurp($file), 0644); rename "$as.new", $as or die $! }
    return;
}
put_file("$dir/ca.pem",      $ca{'other-ca'});
put_file("$dir/crl.pem",     $crl);
put_file("$dir/chain.pem",   $ca{'other-ca'});
put_file("$dir/through.pem", $ca{'other-ca'});
put_file("$dir/under.pem",   slurp($under->{cert}) . slurp($under->{key}));
mkdir "$dir/$_", 0755 for qw(cas crls);
put_hashed('cas', 'other-ca', $certs->ca('other-ca'));
put_hashed('crls', 'ca', $certs->crl('ca'));

my ($root, $back) = ($certs->ca('ca'), 'https://127.0.0.1:' . $backend->port('back') . '/');
my %section = (
    file    => [$back, "SSLProxyCACertificateFile $dir/ca.pem"],
    path    => [$back, "SSLProxyCACertificatePath $dir/cas"],
    crl     => [$back, "SSLProxyCACertificateFile $root\nSSLProxyCARevocationCheck chain\nSSLProxyCARevocationFile $dir/crl.pem"],
    crls    => [$back, "SSLProxyCACertificateFile $root\nSSLProxyCARevocationCheck chain\nSSLProxyCARevocationPath $dir/crls"],
    through => ['https://127.0.0.1:' . $backend->port('short') . '/', "SSLProxyCACertificateFile $root\nSSLProxyMachineCertificateChainFile $dir/through.pem"],
    chain   => ['https://127.0.0.1:' . $backend->port('asks') . '/',
        "SSLProxyCACertificateFile $root\nSSLProxyMachineCertificateFile $dir/under.pem\nSSLProxyMachineCertificateChainFile $dir/chain.pem"],
);
my $config = "Listen 127.0.0.1:\${port_http}\nSSLProxyEngine on\nSSLProxyVerify require\nSSLProxyVerifyDepth 3\n";
for my $name (sort keys %section) {
    my ($url, $settings) = @{ $section{$name} };
    $config .= "<Proxy $url$name/>\n$settings\n</Proxy>\nProxyPass /$name/ $url$name/ disablereuse=on retry=0\n";
}
$proxy->config($config);
$proxy->start_ok or BAIL_OUT('the proxy does not start');

sub get {
    my ($name) = @_;
    my $out = run(['curl', '-s', '-i', '-m', 20 * slow(), 'http://127.0.0.1:' . $proxy->port('http') . "/$name/page"])->{out};
    my ($code)    = $out =~ m{\AHTTP/\S+ (\d+)};
    my ($session) = $out =~ /^X-Session: (.*?)\r?$/m;
    return ($code || 0, $session || '');
}
sub code { return (get(@_))[0] }
sub becomes {
    my ($name, $code, $claim) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return ok(wait_until(sub { code($name) == $code }, 20 * slow()), $claim) || diag $proxy->new_log;
}
# Until a session is resumed, which takes a second request where the first one brought it.
sub resumes { my ($name) = @_; return wait_until(sub { (get($name))[1] eq 'Resumed' }, 10 * slow()) }

# ---- CAs ----

is(code($_), 502, "$_: not of the CA yet") for qw(file path);
put_file("$dir/ca.pem", $ca{'other-ca'} . $ca{ca});
becomes('file', 200, "another CA in SSLProxyCACertificateFile: its backends count");
ok($proxy->wait_for_log(qr/SL0150: what backends are checked against \(\S+ca\.pem\) was changed, and new connections get it: 2 CA certificates, 0 CRLs/), '... which is told');
ok(resumes('file'), '... and sessions with them are resumed');
put_file("$dir/ca.pem", $ca{'other-ca'});
becomes('file', 502, 'the CA goes: its backends are refused, whatever sessions there are');
is(code('file'), 502, '... and stay so');
put_hashed('cas', 'ca', $root);
becomes('path', 200, 'another CA in SSLProxyCACertificatePath');

$proxy->mark;
put_file("$dir/ca.pem", $ca{ca});
becomes('file', 200, 'the CA is back');
put_file("$dir/ca.pem", "no certificate\n");
ok($proxy->wait_for_log(qr/SL0152: what backends are [^\n]*what was served before serves on: [^\n]*SSLProxyCACertificateFile: \S+ca\.pem/, 15), 'what holds no CA is refused');
is(code('file'), 200, '... and the CAs before count on');
put_file("$dir/ca.pem", $ca{ca});
ok($proxy->wait_for_log(qr/SL0151: what backends/), '... until it is repaired');

# ---- chains ----

is(code($_), 502, "$_: an issuer is missing") for qw(through chain);
put_file("$dir/through.pem", $ca{intermediate});
becomes('through', 200, 'SSLProxyMachineCertificateChainFile: what is in it now leads from the backend to its CA');
put_file("$dir/chain.pem", $ca{'client-intermediate'});
becomes('chain', 200, '... and our certificate goes with its new chain');

# ---- CRLs ----

ok(resumes($_), "$_: a session is resumed") for qw(crl crls);
$certs->server('back.test', @at, tag => 'x');
$certs->openssl('ca', '-config', "$ENV{SL_CERTS}/ca/openssl.cnf", '-revoke', $cert->{cert});
put_file("$dir/crl.pem", slurp($certs->crl('ca')));
put_hashed('crls', 'ca', $certs->crl('ca'));
becomes('crl', 502, 'SSLProxyCARevocationFile: the new list names the backend, which is refused');
becomes('crls', 502, 'SSLProxyCARevocationPath: likewise, though the file has the name of the one before');
is(code('through'), 200, '... others are not');
ok($proxy->restart, 'a graceful restart');
is(code($_), 502, "$_: ... changes nothing") for qw(crl crls);
is(code($_), 200, "$_: ... changes nothing") for qw(file path through);
$_->stop for $proxy, $backend;
done_testing;
