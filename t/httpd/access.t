# Who is let in, under which name: SSLRequire, SSLUserName, FakeBasicAuth, StrictRequire, Satisfy any, RequireAny, Require
# ssl and Require ssl-verify-client decide as with mod_ssl; beyond that a wrong name never passes.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Certs;
use SL::Client;
use SL::Conf qw(tls_host);
use SL::Httpd;
use SL::Parity;

my $certs = SL::Certs->new;
my $one   = $certs->server('one.test', type => 'ecdsa', names => ['one.test', 'free.test']);
my $ca    = $certs->ca('client-ca');
my $ann   = $certs->client('ann', subject => '/C=DE/O=SL Test/OU=Staff/CN=ann', names => ['email:ann@example.test']);
my $bob   = $certs->client('bob', subject => '/C=DE/O=Elsewhere/CN=bob');
my $colon = $certs->client('colon', subject => '/C=DE/O=SL Test/CN=a:b');
my $stranger = $certs->client('stranger', issuer => 'other-ca');
my $mpm   = $ENV{SL_MPM} || 'event';

# The passwords are "password" and "secret".
my %file = (
    users => join('', map { "$_:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n" } '/C=DE/O=SL Test/OU=Staff/CN=ann', 'ann', 'ann@example.test', '/C=DE/O=SL Test/CN=a'),
    people => "eve:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n",
    word   => 'open sesame',
);
my $basic  = "AuthType Basic\nAuthName x\nAuthBasicProvider file\nAuthUserFile \"\${docs}/users\"\nRequire valid-user";
my $people = "AuthType Basic\nAuthName x\nAuthBasicProvider file\nAuthUserFile \"\${docs}/people\"";

my %section = (
    'require-true'   => 'SSLRequire %{SSL_PROTOCOL} =~ m/^TLS/ and %{SSL_CIPHER_USEKEYSIZE} >= 128',
    'require-false'  => 'SSLRequire %{SSL_PROTOCOL} eq "SSLv3"',
    'require-both'   => "SSLRequire true\nSSLRequire %{SSL_CLIENT_S_DN_O} eq \"SL Test\"",
    'require-old'    => 'SSLRequire ( %{SSL_CIPHER} !~ m/^(EXP|NULL)/ and %{SSL_CLIENT_S_DN_O} eq "SL Test" and %{SSL_CLIENT_S_DN_OU} in {"Staff", "CA", "Dev"} and %{TIME_WDAY} >= 0 and %{TIME_WDAY} <= 6 ) or %{REMOTE_ADDR} =~ m/^192\.76\.162\.[0-9]+$/',
    'require-list'   => 'SSLRequire "email:ann@example.test" in PeerExtList("2.5.29.17")',
    'require-word'   => 'SSLRequire %{HTTP_USER_AGENT} != "" and %{REQUEST_METHOD} == "GET" and %{SERVER_PORT} != 1',
    'require-file'   => "SSLRequire file(\"\${docs}/word\") == \"open sesame\"",
    'require-header' => 'SSLRequire %{HTTP:X-Word} == "yes"',
    'require-env'    => 'SSLRequire %{ENV:WORD} == "yes"',
    'require-ssl'    => 'SSLRequire ssl("SSL_CLIENT_VERIFY") == "SUCCESS"',
    'require-user'   => "SSLUserName SSL_CLIENT_S_DN_CN\nSSLRequire %{REMOTE_USER} == \"ann\"",
    'user-cn'        => 'SSLUserName SSL_CLIENT_S_DN_CN',
    'user-san'       => 'SSLUserName SSL_CLIENT_SAN_Email_0',
    'user-dn'        => 'SSLUserName SSL_CLIENT_S_DN',
    'user-serial'    => 'SSLUserName ssl_client_m_version',
    'user-other'     => 'SSLUserName REMOTE_ADDR',
    'user-none'      => 'SSLUserName SSL_NONSENSE',
    'user-valid'     => "SSLUserName SSL_CLIENT_S_DN_CN\nAuthType None\nRequire user ann",
    'fake'           => "SSLOptions +FakeBasicAuth\n$basic",
    'fake-cn'        => "SSLOptions +FakeBasicAuth\nSSLUserName SSL_CLIENT_S_DN_CN\n$basic",
    'fake-san'       => "SSLOptions +FakeBasicAuth\nSSLUserName SSL_CLIENT_SAN_Email_0\n$basic",
    'fake-any'       => "SSLOptions +FakeBasicAuth\nAuthType Basic\nAuthName x\nAuthUserFile \"\${docs}/users\"\n<RequireAny>\nRequire valid-user\nRequire ip 192.0.2.1\n</RequireAny>",
    'any'            => "SSLRequire false\nSatisfy any\n$people\nRequire valid-user",
    'any-true'       => "SSLRequire true\nSatisfy any\n$people\nRequire valid-user",
    'strict'         => "SSLOptions +StrictRequire\nSSLRequire false\nSatisfy any\n$people\nRequire valid-user",
    'any-tls'        => "SSLRequireSSL\nSatisfy any\n$people\nRequire valid-user",
    'strict-tls'     => "SSLOptions +StrictRequire\nSSLRequireSSL\nSatisfy any\n$people\nRequire valid-user",
    'require-any'    => "SSLRequire false\n<RequireAny>\nRequire all granted\nRequire ip 127.0.0.1\n</RequireAny>",
    'strict-any'     => "SSLOptions +StrictRequire\nSSLRequire false\n<RequireAny>\nRequire all granted\n</RequireAny>",
    'tls'            => 'Require ssl',
    'known'          => 'Require ssl-verify-client',
    'known-or-addr'  => "<RequireAny>\nRequire ssl-verify-client\nRequire ip 192.0.2.1\n</RequireAny>",
    'not-known'      => "<RequireAll>\nRequire all granted\n<RequireNone>\nRequire ssl-verify-client\n</RequireNone>\n</RequireAll>",
);

sub config {
    my ($httpd) = @_;
    $httpd->file("docs/$_", $file{$_}) for keys %file;
    my @sections = map { ("<Location /$_>", (split /\n/, $section{$_}), '</Location>') } sort keys %section;
    my @common = ("SSLCACertificateFile \"$ca\"", 'SSLProtocol -all +TLSv1.2 +TLSv1.3', 'SSLOptions +StdEnvVars', 'SetEnvIf X-Word . WORD=yes');
    $httpd->config("Listen 127.0.0.1:\${port_https}\nListen 127.0.0.1:\${port_http}\n" . ($mpm eq 'prefork' ? '' : "Protocols h2 http/1.1\n")
            . "Header always set X-User expr=%{REMOTE_USER}\nHeader always set X-Type expr=%{AUTH_TYPE}\n");
    $httpd->config(tls_host('one.test', $one, @common, 'SSLVerifyClient optional', @sections), tls_host('free.test', $one, @common, 'SSLVerifyClient optional_no_ca', @sections));
    $httpd->config("<VirtualHost *:\${port_http}>\nServerName plain.test\nDocumentRoot \"\${docs}/one.test\"\n" . join("\n", @sections) . "\n</VirtualHost>\n");
    for my $host ('one.test', 'free.test') {
        $httpd->file("docs/$host/$_/index.html", "$_\n") for keys %section;
        $httpd->file("docs/$host/require-both/inner/index.html", "inner\n");
    }
    $httpd->config("<Location /require-both/inner>\nSSLRequire %{SSL_CLIENT_S_DN_CN} == \"ann\"\n</Location>\n");
}

my @modules = (qw(headers authn_core authn_file auth_basic authz_user access_compat authz_host), $mpm eq 'prefork' ? () : 'http2');
my %who = (nobody => undef, ann => $ann, bob => $bob, stranger => $stranger);
my %credentials = (eve => ['-u', 'eve:secret'], forged => ['-u', '/C=DE/O=SL Test/OU=Staff/CN=ann:password']);
my (@requests, %differs);

sub ask {
    my ($name, $url, @curl) = @_;
    push @requests, { name => $name, run => sub {
        my ($client, $httpd) = @_;
        my $r = $client->curl($url =~ s/PORT/$httpd->port('http')/er, @curl);
        return { code => $r->{code}, $r->{code} == 200 ? (user => $r->{headers}{'x-user'}, type => $r->{headers}{'x-type'}, body => $r->{body}) : () };
    } };
    return;
}
for my $path (sort(keys %section), 'require-both/inner') {
    ask("$path, $_", "https://one.test/$path/", cert => $who{$_}, args => ['-H', 'X-Word: yes']) for 'nobody', 'ann', 'bob';
    ask("$path, $_, unknown CA", "https://free.test/$path/", cert => $who{$_}, args => ['--tls-max', '1.2']) for 'stranger';
    ask("$path, $_", "https://one.test/$path/", args => $credentials{$_}) for sort keys %credentials;
    next unless $path =~ /^(?:fake|any|strict|tls|known|require-any|user-cn)/;
    ask("$path, plain", "http://plain.test:PORT/$path/");
    ask("$path, plain, $_", "http://plain.test:PORT/$path/", args => $credentials{$_}) for sort keys %credentials;
}
if ($mpm ne 'prefork') {
    ask("$_, ann, HTTP/2", "https://one.test/$_/", cert => $ann, http => 2) for qw(known not-known known-or-addr tls user-cn fake require-true require-false);
    $differs{"$_, ann, HTTP/2"} = { row => 'Require ssl-verify-client', code => 200 } for qw(known known-or-addr);
    $differs{'not-known, ann, HTTP/2'} = { row => 'Require ssl-verify-client', code => 403 };
}
$differs{'fake-cn, ann'}  = { row => 'FakeBasicAuth', code => 200, user => 'ann' };
$differs{'fake-san, ann'} = { row => 'FakeBasicAuth', code => 200, user => 'ann@example.test' };

parity(name => 'access', config => \&config, modules => \@modules, requests => \@requests, differs => \%differs, mpm => $mpm)
    if -e '/usr/lib/apache2/modules/mod_ssl.so';

# ---- ours ----

my $httpd = SL::Httpd->new(modules => \@modules);
config($httpd);
$httpd->start_ok or BAIL_OUT('httpd does not start');
my $client = SL::Client->new(port => $httpd->port('https'));

sub code { my ($path, %o) = @_; return $client->curl("https://one.test/$path/", %o)->{code} }
is(code('fake',    cert => $ann),   200, 'FakeBasicAuth: the subject is the user');
is(code('fake-cn', cert => $ann),   200, '... or what SSLUserName names');
is(code('fake',    cert => $bob),   401, '... somebody else is none');
is(code('fake',    cert => $colon), 403, '... a colon in the subject does not make a name with a password of its own');
is(code('fake-cn', cert => $colon), 403, '... nor one in what SSLUserName names');
$httpd->wait_for_log(qr/SL0106: FakeBasicAuth/) ? pass('... which the log tells') : fail('... which the log tells');
unlike($httpd->error_log, qr/Basic [A-Za-z0-9+\/]{12}/, '... without any credentials');
my $r = $client->curl('https://one.test/user-san/', cert => $ann);
is("$r->{headers}{'x-user'} $r->{headers}{'x-type'}", 'ann@example.test ClientCert', 'SSLUserName takes an alternative name');
$httpd->mark;
code('user-none', cert => $ann);
$httpd->wait_for_log(qr/AH02227: Failed to set r->user to 'SSL_NONSENSE'/) ? pass('... a variable without a value is told of') : fail('... told of');
is(code('strict', args => $credentials{eve}), 403, 'StrictRequire: Satisfy any changes nothing');
is(code('any',    args => $credentials{eve}), 200, '... without it does');
is(code('strict-any'), 403, '... RequireAny neither');
$httpd->stop;
done_testing;
