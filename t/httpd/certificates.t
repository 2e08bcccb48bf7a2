# Certificates and keys come in every form and order; the client gets the one it can verify, with its chain in order.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Certs;
use SL::Client;
use SL::Command qw(run slurp spew);
use SL::Conf qw(tls_host page);
use SL::Httpd;

my $certs = SL::Certs->new;
my $httpd = SL::Httpd->new;
my $ca    = $certs->ca('ca');
my %type  = (rsa => 'rsaEncryption', ecdsa => 'id-ecPublicKey', ed25519 => 'ED25519');
my %cert  = map { $_ => $certs->server('types.test', type => $_, names => ['*.forms.test']) } keys %type;
my $below = $certs->server('below.test', type => 'ecdsa', issuer => 'intermediate', names => ['*.forms.test']);
my $rsa_below = $certs->server('below.test', type => 'rsa', issuer => 'intermediate', names => ['*.forms.test']);

sub in_root { my ($name, @parts) = @_; return spew($httpd->root . "/$name", join('', map { m{^/} ? slurp($_) : $_ } @parts)) }

# A host with these lines and a page; the certificates' name is *.forms.test.
my @names;
sub host {
    my ($name, @lines) = @_;
    push @names, $name;
    return tls_host($name, [], map { s/ (\S+)$/ "$1"/r } @lines);
}

# PKCS#12 with an empty pass phrase, the chain inside.
run(['openssl', 'pkcs12', '-export', '-in', $below->{full}, '-inkey', $below->{key}, '-passout', 'pass:', '-out',
    $httpd->root . '/below.p12'])->{status} == 0 or die 'no PKCS#12 file';
my $dh = run(['openssl', 'genpkey', '-genparam', '-algorithm', 'DH', '-pkeyopt', 'group:ffdhe3072'])->{out};
my $ec = run(['openssl', 'ecparam', '-name', 'secp384r1'])->{out};
my $legacy = run(['openssl', 'rsa', '-in', $cert{rsa}{key}, '-traditional'])->{out};
like($legacy, qr/BEGIN RSA PRIVATE KEY/, 'a key in the form of old was made');

my $C = 'SSLCertificateFile';
my $K = 'SSLCertificateKeyFile';
$httpd->config(join '', "Listen 127.0.0.1:\${port_https}\n",
    host('types.forms.test', map { ("$C $cert{$_}{cert}", "$K $cert{$_}{key}") } qw(rsa ecdsa ed25519)),
    host('reversed.forms.test', map { ("$C $cert{$_}{cert}", "$K $cert{$_}{key}") } qw(ed25519 ecdsa rsa)),
    host('ecdsa.forms.test', "$C $cert{ecdsa}{cert}", "$K $cert{ecdsa}{key}"),
    host('inside.forms.test', map { "$C " . in_root("inside-$_.pem", $cert{$_}{cert}, $cert{$_}{key}) } qw(rsa ecdsa)),
    host('key-first.forms.test', "$C " . in_root('key-first.pem', $below->{key}, $below->{chain}, $below->{cert})),
    host('half-inside.forms.test', "$C " . in_root('half-inside.pem', $cert{rsa}{key}, $cert{rsa}{cert}), "$C $cert{ecdsa}{cert}",
        "$K " . in_root('half-inside.pem', $cert{rsa}{key}, $cert{rsa}{cert}), "$K $cert{ecdsa}{key}"),
    host('pkcs12.forms.test', "$C " . $httpd->root . '/below.p12'),
    host('der.forms.test', "$C " . $certs->der($cert{ecdsa}{cert}), "$K " . $certs->der($cert{ecdsa}{key})),
    host('legacy.forms.test', "$C $cert{rsa}{cert}", "$K " . in_root('legacy.key', $legacy)),
    host('full.forms.test', "$C $below->{full}", "$K $below->{key}"),
    host('two-chains.forms.test', "$C $below->{full}", "$K $below->{key}", "$C $cert{rsa}{cert}", "$K $cert{rsa}{key}"),
    host('disordered.forms.test', "$C " . in_root('disordered.pem', $ca, $below->{chain}, $below->{cert}), "$K $below->{key}"),
    host('chain-file.forms.test', "$C $below->{cert}", "$K $below->{key}", "SSLCertificateChainFile $below->{chain}"),
    host('chain-files.forms.test', map({ ("$C $_->{cert}", "$K $_->{key}") } $below, $rsa_below),
        'SSLCertificateChainFile ' . in_root('both.chain', $ca, $below->{chain})),
    host('leaf-in-chain.forms.test', "$C $below->{cert}", "$K $below->{key}", "SSLCertificateChainFile $below->{full}"),
    host('from-cas.forms.test', "$C " . in_root('from-cas.crt', $below->{cert}), "$K $below->{key}",
        'SSLCACertificateFile ' . in_root('cas.pem', $ca, $below->{chain})),
    host('none.forms.test', "$C $below->{cert}", "$K $below->{key}"),
    host('parameters.forms.test', "$C " . in_root('parameters.pem', $cert{rsa}{cert}, $dh, $ec), "$K $cert{rsa}{key}",
        'SSLCipherSuite DHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256'),
);
page($httpd, @names);
my $checked = $httpd->configtest;
is($checked->{status}, 0, 'httpd -t accepts the configuration') or diag $checked->{err};
$httpd->start_ok or BAIL_OUT('httpd does not start');
my $client = SL::Client->new(port => $httpd->port('https'));

# Key type of the certificate a client gets, and what it thinks of it.
sub shown {
    my ($host, @args) = @_;
    my $s = $client->s_client($host, args => ['-showcerts', @args]);
    my @chain = $s->{out} =~ /^ *\d+ s:.*CN ?= ?(.*)$/mg;
    my ($leaf) = $s->{out} =~ /(-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----)/s;
    my $text = $leaf ? run(['openssl', 'x509', '-noout', '-text'], stdin => $leaf)->{out} : '';
    my ($key) = $text =~ /Public Key Algorithm: (\S+)/;
    return { %$s, key => $key // 'none', chain => join(' < ', @chain) };
}

# The type is chosen by the signature algorithms of the client.
for my $host (qw(types.forms.test reversed.forms.test)) {
    for my $version (qw(tls1_2 tls1_3)) {
        my %sigalgs = (rsa => 'RSA-PSS+SHA256:RSA+SHA256', ecdsa => 'ECDSA+SHA256', ed25519 => 'ed25519');
        for my $type (sort keys %sigalgs) {
            my $s = shown($host, "-$version", '-sigalgs', $sigalgs{$type});
            is($s->{key}, $type{$type}, "$host, $version: a client that knows $type gets that certificate") or diag $s->{text};
            is($s->{verify}, 0, '... and verifies it');
        }
        my $s = $client->s_client($host, args => ["-$version", '-sigalgs', 'ed448']);
        ok(!$s->{connected}, '... one that knows none of them gets nothing');
        is($s->{alert_number}, 40, '... but the alert handshake_failure');
    }
}
for my $cipher (['aRSA', 'rsaEncryption'], ['aECDSA', 'id-ecPublicKey']) {
    is(shown('types.forms.test', '-tls1_2', '-cipher', $cipher->[0])->{key}, $cipher->[1], "TLS 1.2: the type fits the cipher suites: $cipher->[0]");
}
for my $sign (['RSA-PSS-RSAE-SHA256', 'RSA'], ['ECDSA-SECP256R1-SHA256', 'ECDSA'], ['EdDSA-Ed25519', 'EdDSA']) {
    # RSA-SHA256 is for the signature of the CA; no handshake of TLS 1.3 may be signed with it.
    my $g = $client->gnutls('types.forms.test', args => ['--priority', "NORMAL:-VERS-ALL:+VERS-TLS1.3:-SIGN-ALL:+SIGN-$sign->[0]:+SIGN-RSA-SHA256"]);
    ok($g->{connected}, "gnutls-cli with $sign->[0] alone verifies") or diag $g->{text};
    like($g->{description} // '', qr/$sign->[1]/, '... that type');
}
ok(!$client->s_client('ecdsa.forms.test', args => ['-sigalgs', 'RSA-PSS+SHA256', '-tls1_3'])->{connected},
    'a host does not borrow the certificate of another');

# Forms of files
my %want = ('inside.forms.test' => undef, 'key-first.forms.test' => 'below.test < SL Test Intermediate', 'half-inside.forms.test' => undef,
    'pkcs12.forms.test' => 'below.test < SL Test Intermediate', 'der.forms.test' => undef, 'legacy.forms.test' => undef);
for my $host (sort keys %want) {
    my $r = $client->curl("https://$host/");
    is($r->{body}, "this is $host\n", "$host: served and verified") or diag $r->{err};
    is(shown($host)->{chain}, $want{$host}, '... with its chain') if $want{$host};
}
is(shown('inside.forms.test', '-sigalgs', 'ECDSA+SHA256')->{key}, 'id-ecPublicKey', 'inside.forms.test: the second file holds its key too');
is(shown('inside.forms.test', '-sigalgs', 'RSA-PSS+SHA256')->{key}, 'rsaEncryption', '... and the first');

# Chains
my $whole = 'below.test < SL Test Intermediate';
for my $host (qw(full.forms.test chain-file.forms.test chain-files.forms.test leaf-in-chain.forms.test from-cas.forms.test disordered.forms.test two-chains.forms.test)) {
    my $s = shown($host, '-sigalgs', 'ECDSA+SHA256');
    like($s->{chain}, qr/^\Q$whole\E(?: < SL Test CA)?$/, "$host: leaf, then intermediate");
    is($s->{verify}, 0, '... and a client that knows the root verifies it');
}
like(shown('chain-files.forms.test', '-sigalgs', 'RSA-PSS+SHA256')->{chain}, qr/^\Q$whole\E/, 'one chain file serves both types');
is(shown('two-chains.forms.test', '-sigalgs', 'RSA-PSS+SHA256')->{chain}, 'types.test', 'each type has a chain of its own');
my $s = shown('none.forms.test');
is($s->{chain}, 'below.test', 'no chain anywhere: the leaf alone');
isnt($s->{verify}, 0, '... which a client that knows the root alone can not verify');
my $told = $checked->{err} . $checked->{out} . $httpd->said;
like($told, qr/\Q$below->{cert}\E: the chain is incomplete/, '... which the start tells');
unlike($told, qr/from-cas\.crt: the chain is incomplete/, '... but not where CAs complete it');

# Parameters in the first certificate's file
$s = $client->s_client('parameters.forms.test', args => ['-tls1_2', '-cipher', 'DHE']);
like($s->{text}, qr/^(?:Server|Peer) Temp Key: DH, 3072 bits/m, 'DH parameters of the file are used');
$s = $client->s_client('parameters.forms.test', args => ['-tls1_2', '-cipher', 'ECDHE']);
like($s->{group}, qr/secp384r1/, '... and its EC group');
$httpd->stop;
done_testing;
