# Client certificates: each SSLVerifyClient lets in whom it should, by CA, depth and revocation, as mod_ssl; what follows
# from the certificate for sessions and for access.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Command qw(run scratch_dir slurp spew);
BEGIN { $ENV{SL_CERTS} = scratch_dir('sl-client-certs') }    # a CA below another gets revoked here: not for other tests
use SL::Certs;
use SL::Client;
use SL::Conf qw(tls_host page);
use SL::Httpd;
use SL::Parity;

my $certs  = SL::Certs->new;
my $server = $certs->server('any.test', type => 'ecdsa', names => ['*.test', 'optional-no-ca.test']);
my ($ca, $other_ca) = map { $certs->ca($_) } qw(client-ca other-ca);
my $below  = $certs->client('below', type => 'ecdsa', issuer => 'client-intermediate');
my %client = (
    none     => undef,
    good     => $certs->client('ann', type => 'ecdsa'),
    bob      => $certs->client('bob', type => 'ecdsa'),
    stranger => $certs->client('stranger', type => 'ecdsa', issuer => 'other-ca'),
    expired  => $certs->client('expired', type => 'ecdsa', end => '-1d'),
    self     => $certs->client('self', type => 'ecdsa', issuer => 'self'),
    below    => $below,
    revoked  => $certs->client('revoked', type => 'ecdsa', revoked => 1),
    colon    => $certs->client('colon', type => 'ecdsa', subject => '/C=DE/CN=a:b'),
);
my ($crl, $expired_crl, $lower_crl) = ($certs->crl('client-ca'), $certs->crl('client-ca', end => '-1d'), $certs->crl('client-intermediate'));
my $dir = scratch_dir('sl-crl');
my $both_crls = spew("$dir/both.pem", slurp($crl) . slurp($lower_crl));
$certs->openssl('ca', '-batch', '-config', $certs->dir . '/client-ca/openssl.cnf', '-revoke', $certs->ca('client-intermediate'));
my $chain_crls = spew("$dir/chain.pem", slurp($certs->crl('client-ca')) . slurp($lower_crl));

sub chain { my ($name) = @_; return $name eq 'below' ? ('-cert_chain', $below->{chain}) : () }

# One word for what became of a client: "200 SUCCESS", or "alert 48".
my %saw;
sub outcome {
    my ($client, $host, $version, $name, @more) = @_;
    my $s = $client->s_client("$host.test", cert => $client{$name}, args => ["-$version", chain($name)],
        input => "GET / HTTP/1.1\r\nHost: $host.test\r\nConnection: close\r\n\r\n", @more);
    return "$1 " . ($s->{out} =~ /^X-Verify: (.*?)\r?$/m ? $1 : '-') if $s->{out} =~ m{HTTP/1\.1 (\d{3}) };
    return defined $s->{alert_number} ? "alert $s->{alert_number}" : 'no answer';
}

# All clients at one host: a request of parity(). mod_ssl may reset a TLS 1.3 connection before its alert is read.
sub ask {
    my ($host, $want, $loose) = @_;
    return { name => $host, run => sub {
        my ($client, $httpd) = @_;
        my %got = map { my ($version, $name) = split / /; ("$version $name" => outcome($client, $host, $version, $name)) } sort keys %$want;
        $saw{$host} = {%got} if $httpd->tls eq 'securelayer';
        # Its verdict with optional_no_ca depends on the version: ours is checked below.
        for (values %got) { s/^(?:alert.*|no answer)$/refused/; s/ .*// if $loose }
        return \%got;
    } };
}

# client => outcome, or [TLS 1.2, TLS 1.3]
sub both {
    my (%want) = @_;
    return { map { my $o = $want{$_}; my @o = ref $o ? @$o : ($o, $o); ("tls1_2 $_" => $o[0], "tls1_3 $_" => $o[1]) } keys %want };
}

my %anybody  = map { $_ => '200 NONE' } qw(none good stranger expired self);
my %known    = (none => '200 NONE', good => '200 SUCCESS', stranger => 'alert 48', expired => 'alert 45', self => 'alert 48');
my %required = (%known, none => ['alert 40', 'alert 116']);
my $trust    = "SSLCACertificateFile \"$ca\"";
my $mayfail  = sub { return ('SSLVerifyClient require', $trust, 'SSLVerifyDepth 3', @_) };

# host => [what clients get, lines]
my %host = (
    'unset'          => [\%anybody,  $trust],
    'none'           => [\%anybody,  $trust, 'SSLVerifyClient none'],
    'off'            => [\%anybody,  $trust, 'SSLVerifyClient off'],
    'optional'       => [\%known,    $trust, 'SSLVerifyClient optional'],
    'require'        => [\%required, $trust, 'SSLVerifyClient require'],
    'on'             => [\%required, $trust, 'SSLVerifyClient on'],
    'optional-no-ca' => [{ %known, map { $_ => '200 GENEROUS' } qw(stranger self) }, $trust, 'SSLVerifyClient optional_no_ca'],
    'by-path'        => [{ good => '200 SUCCESS', stranger => 'alert 48', none => ['alert 40', 'alert 116'] },
        'SSLVerifyClient require', "SSLCACertificatePath \"@{[$certs->hashed('ca', $ca)]}\""],
    'two-cas'        => [{ good => '200 SUCCESS', stranger => '200 SUCCESS', self => 'alert 48' },
        'SSLVerifyClient require', $trust, "SSLCACertificatePath \"@{[$certs->hashed('other', $other_ca)]}\""],
    'depth-unset'    => [{ good => '200 SUCCESS', below => 'alert 48' }, 'SSLVerifyClient require', $trust],
    'depth-0'        => [{ good => 'alert 48', below => 'alert 48' }, 'SSLVerifyClient require', $trust, 'SSLVerifyDepth 0'],
    'depth-2'        => [{ good => '200 SUCCESS', below => '200 SUCCESS' }, 'SSLVerifyClient require', $trust, 'SSLVerifyDepth 2'],
    'crl-unchecked'  => [{ revoked => '200 SUCCESS' }, $mayfail->("SSLCARevocationFile \"$crl\"")],
    'crl-leaf'       => [{ good => '200 SUCCESS', revoked => 'alert 44', below => '200 SUCCESS' },
        $mayfail->("SSLCARevocationFile \"$chain_crls\"", 'SSLCARevocationCheck leaf')],
    'crl-chain'      => [{ good => '200 SUCCESS', revoked => 'alert 44', below => 'alert 44' },
        $mayfail->("SSLCARevocationFile \"$chain_crls\"", 'SSLCARevocationCheck chain')],
    'crl-chain-good' => [{ revoked => 'alert 44', below => '200 SUCCESS' },
        $mayfail->("SSLCARevocationFile \"$both_crls\"", 'SSLCARevocationCheck chain')],
    'crl-path'       => [{ good => '200 SUCCESS', revoked => 'alert 44' },
        $mayfail->("SSLCARevocationPath \"@{[$certs->hashed('crl', $crl)]}\"", 'SSLCARevocationCheck leaf')],
    'crl-missing'    => [{ good => '200 SUCCESS', below => 'alert 48' },
        $mayfail->("SSLCARevocationFile \"$crl\"", 'SSLCARevocationCheck leaf')],
    'crl-missing-ok' => [{ good => '200 SUCCESS', revoked => 'alert 44', below => '200 SUCCESS' },
        $mayfail->("SSLCARevocationFile \"$crl\"", 'SSLCARevocationCheck chain no_crl_for_cert_ok')],
    'crl-expired'    => [{ good => 'alert 46' }, $mayfail->("SSLCARevocationFile \"$expired_crl\"", 'SSLCARevocationCheck leaf')],
    'crl-optional'   => [{ none => '200 NONE', revoked => 'alert 44' },
        'SSLVerifyClient optional', $trust, "SSLCARevocationFile \"$crl\"", 'SSLCARevocationCheck leaf'],
);
my %names = (
    'names-of-ca'   => [['Client'], $trust],
    'names-of-path' => [['Client'], "SSLCACertificatePath \"@{[$certs->hashed('ca', $ca)]}\""],
    'names-file'    => [['Stranger'], $trust, "SSLCADNRequestFile \"$other_ca\""],
    'names-path'    => [['Stranger'], $trust, "SSLCADNRequestPath \"@{[$certs->hashed('other', $other_ca)]}\""],
    'names-both'    => [['Client', 'Stranger'], $trust, "SSLCADNRequestFile \"$other_ca\"",
        "SSLCADNRequestPath \"@{[$certs->hashed('ca', $ca)]}\""],
);

sub server_config {
    my ($httpd, @more) = @_;
    $httpd->config(join '', "Listen 127.0.0.1:\${port_https}\nHeader always set X-Verify \"%{SSL_CLIENT_VERIFY}s\"\n",
        "Header always set X-Subject \"%{SSL_CLIENT_S_DN}s\"\nHeader always set X-Serial \"%{SSL_CLIENT_M_SERIAL}s\"\n",
        map({ tls_host("$_.test", $server, @{ $host{$_} }[1 .. $#{ $host{$_} }]) } sort keys %host),
        map({ tls_host("$_.test", $server, 'SSLVerifyClient optional', @{ $names{$_} }[1 .. $#{ $names{$_} }]) } sort keys %names), @more);
    page($httpd, map {"$_.test"} sort(keys %host), sort keys %names);
}

# The names in the order they were sent: that of a directory is nobody's.
sub asked_for {
    my ($host) = @_;
    return { name => $host, run => sub {
        my ($client, $httpd) = @_;
        my %got;
        for my $version (qw(tls1_2 tls1_3)) {
            my ($list) = $client->s_client("$host.test", args => ["-$version"])->{text} =~ /^Acceptable client certificate CA names\n(.*?)^(?:Client Cert|Requested)/ms;
            $got{$version} = join ' ', sort map { /CN ?= ?(?:SL Test |A )?(\w+) CA/ ? $1 : "odd: $_" } split /\n/, $list // 'none';
        }
        $saw{$host} = {%got} if $httpd->tls eq 'securelayer';
        return \%got;
    } };
}

parity(name => 'who is let in', modules => ['headers'], config => \&server_config,
    requests => [map({ ask($_, both(%{ $host{$_}[0] }), $_ eq 'optional-no-ca') } sort keys %host), map { asked_for($_) } sort keys %names]);
for my $name (sort keys %host) {
    my $want = both(%{ $host{$name}[0] });
    is($saw{$name}{$_}, $want->{$_}, "$name: $_: $want->{$_}") for sort keys %$want;
}
for my $name (sort keys %names) {
    is($saw{$name}{$_}, join(' ', @{ $names{$name}[0] }), "$name: the client is told these CAs, $_") for qw(tls1_2 tls1_3);
}

# ---- sessions ----

my $httpd = SL::Httpd->new(modules => [qw(headers http2 auth_basic authn_core authn_file authz_user authz_host access_compat)]);
my %hash  = map { my $h = run(['openssl', 'passwd', '-apr1', 'password'])->{out}; chomp $h; ($_ => $h) } 'one';
my $users = $httpd->file('users', "/C=DE/O=SL Test/CN=ann:$hash{one}\nuser:$hash{one}\n");
$users = $httpd->root . '/users';
my $second = "Listen 127.0.0.1:\${port_second}\nListen 127.0.0.1:\${port_plain}\n";
my $fake = "AuthType Basic\nAuthName x\nAuthBasicProvider file\nAuthUserFile \"$users\"\nRequire valid-user\nSSLOptions +FakeBasicAuth\n";
my $basic = $fake =~ s/SSLOptions.*\n//r;
my $sections = join '', map {"<Location /$_->[0]>\n$_->[1]</Location>\n"} (
    ['require-ssl-directive', "SSLRequireSSL\n"], ['require-ssl', "Require ssl\n"], ['require-client', "Require ssl-verify-client\n"],
    ['fake', $fake], ['basic', $basic], ['lenient', "SSLRequireSSL\nSatisfy any\n$basic"],
    ['strict', "SSLRequireSSL\nSSLOptions +StrictRequire\nSatisfy any\n$basic"],
);
my @other_policies = ('SSLVerifyClient none', "SSLVerifyClient optional\nSSLVerifyDepth 5",
    "SSLVerifyClient optional\nSSLCADNRequestFile \"$other_ca\"", "SSLVerifyClient require");
my $scope = sub { return map {"Listen 127.0.0.1:\${port_policy$_}\n" . tls_host({ name => 'optional.test', port => "policy$_" }, $server, $trust,
    $other_policies[$_]) } 0 .. $#other_policies };
my $web = sub {
    my ($it) = @_;
    server_config($it, $second, $sections, $scope->(),
        tls_host({ name => 'optional-no-ca.test', port => 'second' }, $server, $trust, 'SSLVerifyClient optional_no_ca', 'Protocols h2 http/1.1'),
        "<VirtualHost *:\${port_plain}>\nServerName plain.test\nDocumentRoot \"\${docs}/optional-no-ca.test\"\n</VirtualHost>\n");
    $it->file("docs/optional-no-ca.test/$_/index.html", "$_\n")
        for qw(require-ssl-directive require-ssl require-client lenient strict fake basic);
};
$web->($httpd);
$httpd->start_ok or BAIL_OUT('httpd does not start');
my $client = SL::Client->new(port => $httpd->port('https'));

sub get { my ($name, $cert, @o) = @_; return $client->s_client("$name.test", cert => $client{$cert},
    input => "GET / HTTP/1.1\r\nHost: $name.test\r\nConnection: close\r\n\r\n", @o) }

sub facts { my ($s) = @_; return join '|', map { $s->{out} =~ /^X-$_: (.*?)\r?$/m ? $1 : 'none' } qw(Verify Subject Serial) }

for my $version (qw(tls1_2 tls1_3)) {
    my $file = "$dir/session-$version";
    for my $case (['optional', 'none', 'NONE'], ['optional', 'good', 'SUCCESS'], ['require', 'good', 'SUCCESS'],
        ['optional-no-ca', 'good', 'SUCCESS'], ['optional-no-ca', 'stranger', 'GENEROUS'], ['depth-2', 'below', 'SUCCESS']) {
        my ($name, $cert, $verify) = @$case;
        my $first  = get($name, $cert, args => ["-$version", '-sess_out', $file, chain($cert)]);
        my $second = get($name, 'none', args => ["-$version", '-sess_in', $file]);
        is("$first->{resumed} $second->{resumed}", '0 1', "$version $name: the session of client '$cert' is resumed");
        like(facts($first), qr/^$verify\|/, "... $verify");
        is(facts($second), facts($first), '... the same verdict, subject and serial number as in the first handshake');
    }
    get('optional', 'good', args => ["-$version", '-sess_out', $file]);
    for my $port (map {"policy$_"} 0 .. $#other_policies) {
        (my $policy = $other_policies[substr $port, 6]) =~ s/\n/, /g;
        my $s = get('optional', 'none', port => $httpd->port($port), args => ["-$version", '-sess_in', $file]);
        is($s->{resumed}, 0, "$version: a session is not resumed under '$policy', though the host has the same name");
        unlike($s->{out}, qr/^X-Verify: SUCCESS/m, '... and brings no certificate along');
    }
}

# ---- access ----

sub code {
    my ($port, $path, %o) = @_;
    my $scheme = $port eq 'plain' ? 'http' : 'https';
    my $name   = $port eq 'plain' ? 'plain.test' : 'optional-no-ca.test';
    return sub {
        my ($client, $httpd) = @_;
        my $r = $client->curl("$scheme://$name:@{[$httpd->port($port)]}/$path/", %o);
        return { code => $r->{code} };
    };
}
my @ways = (
    ['SSLRequireSSL, plain HTTP',   403, 'plain',  'require-ssl-directive'],
    ['SSLRequireSSL, TLS',          200, 'second', 'require-ssl-directive'],
    ['Require ssl, plain HTTP',     403, 'plain',  'require-ssl'],
    ['Require ssl, TLS',            200, 'second', 'require-ssl'],
    ['Require ssl-verify-client, plain HTTP', 403, 'plain', 'require-client'],
    ['Require ssl-verify-client, no certificate', 403, 'second', 'require-client'],
    ['Require ssl-verify-client, one of our CA',  200, 'second', 'require-client', cert => $client{good}],
    ['Require ssl-verify-client, a stranger',     403, 'second', 'require-client', cert => $client{stranger}],
    ['Satisfy any overrules SSLRequireSSL',       200, 'plain',  'lenient', args => ['-u', 'user:password']],
    ['... not with StrictRequire',                403, 'plain',  'strict', args => ['-u', 'user:password']],
    ['StrictRequire, TLS',                        200, 'second', 'strict'],
    ['FakeBasicAuth, no certificate',             401, 'second', 'fake'],
    ['FakeBasicAuth, a user of the file',         200, 'second', 'fake', cert => $client{good}],
    ['FakeBasicAuth, somebody else',              401, 'second', 'fake', cert => $client{bob}],
    ['FakeBasicAuth, a colon in the subject',     403, 'second', 'fake', cert => $client{colon}],
    ['forged credentials, plain HTTP',            403, 'plain',  'basic',  args => ['-u', '/C=DE/O=SL Test/CN=ann:password']],
    ['forged credentials, TLS',                   403, 'second', 'fake',   args => ['-u', '/C=DE/O=SL Test/CN=ann:password']],
    ['a real user named otherwise',               200, 'second', 'fake',   args => ['-u', 'user:password']],
);
for my $way (@ways) {
    my ($name, $want, @o) = @$way;
    for my $http ('1.1', $o[0] eq 'second' ? '2' : ()) {
        is(code(@o, http => $http)->($client, $httpd)->{code}, $want, "HTTP/$http: $name: $want");
    }
}
my $log = $httpd->error_log;
like($log, qr/AH02219: .*SSL connection required/, 'the log tells of SSLRequireSSL');
like($log, qr/SL0106: FakeBasicAuth: /, '... of the colon');
like($log, qr/AH02035: /, '... of forged credentials');
unlike($log, qr/Authorization|L0M9REUvTz1TTC|:password\b/, '... and holds no credentials');
$httpd->stop;

my %differs = (
    'FakeBasicAuth, a colon in the subject' => { row => 'FakeBasicAuth', code => 403 },
);
parity(name => 'access', modules => [qw(headers http2 auth_basic authn_core authn_file authz_user authz_host access_compat)],
    config => sub { my ($it) = @_; $it->file('users', slurp($users) || "/C=DE/O=SL Test/CN=ann:$hash{one}\nuser:$hash{one}\n");
        $web->($it); my $mine = $it->root . '/users'; $it->{text} =~ s/\Q$users\E/$mine/g },
    requests => [
        map({ my ($name, undef, @o) = @$_; { name => $name, run => code(@o) } } @ways),
        { name => 'h2', run => code('second', 'require-client', cert => $client{good}, http => 2) },
    ],
    differs => { %differs, h2 => { row => 'Require ssl-verify-client', code => 200 } });
done_testing;
