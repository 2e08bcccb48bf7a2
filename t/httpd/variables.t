# Every variable says what an independent witness says: the openssl command about certificates, s_client about its
# connection, the bytes of the ClientHello taken apart here.
use strict;
use warnings;
use utf8;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Digest::MD5 qw(md5_hex);
use Digest::SHA qw(sha256_hex);
use IO::Select;
use IO::Socket::IP;
use POSIX ();
use Math::BigInt;
use MIME::Base64 qw(encode_base64 decode_base64);
use Test::More;
use Time::HiRes qw(time);
use Time::Local qw(timegm);
use SL::Certs;
use SL::Client;
use SL::Command qw(run slurp);
use SL::Httpd;
use SL::Variables;

my $certs  = SL::Certs->new;
my %server = (
    rsa => $certs->server('rsa.test', names => ['rsa.test', 'www.rsa.test', 'URI:https://rsa.test/', 'IP:127.0.0.1', 'email:post@rsa.test']),
    ecdsa   => $certs->server('ecdsa.test',   type => 'ecdsa'),
    ed25519 => $certs->server('ed25519.test', type => 'ed25519'),
    pss     => $certs->server('pss.test',     type => 'rsa-pss'),
);
my $ann = $certs->client('ann', issuer => 'client-intermediate', end => '+1000h',
    subject => '/C=DE/O=Größe, "Söhne" \\+ Co/OU=First/OU=Second/CN=Ann/serialNumber=4711/UID=ann/emailAddress=ann@example.test',
    names   => ['email:ann@example.test', 'DNS:ann.test', 'URI:urn:one', 'URI:urn:two', 'IP:192.0.2.1', 'IP:2001:db8::1',
        'otherName:msUPN;UTF8:ann@corp.example', 'otherName:1.3.6.1.5.5.7.8.7;IA5STRING:_ldap.ann.test']);
my $ec       = $certs->client('ec', type => 'ecdsa');
my $expired  = $certs->client('late', end => '-1d');
my $stranger = $certs->client('stranger', issuer => 'other-ca');
my $ca       = $certs->ca('client-ca');

my $httpd = SL::Httpd->new(modules => [qw(cgi env headers rewrite filter deflate)]);
$httpd->config(SL::Variables::config($httpd));
$httpd->config("Listen 127.0.0.1:\${port_https}\nSSLVerifyDepth 3\nSSLSessionTickets on\nSSLCACertificateFile \"$ca\"\n"
    . "ScriptAlias /bare/ \"\${cgi}/\"\n<Location /bare/>\nSSLOptions -StdEnvVars -ExportCertData -ExportBase64CertData\n</Location>\n");
my $ask = SL::Variables::ask();
for my $name (sort(keys %server), 'free', 'quiet', 'two') {
    my $identity = $server{$name} || $server{rsa};
    my $second   = $name eq 'two' ? "SSLCertificateFile \"$server{ecdsa}{both}\"" : '';
    my $verify   = { free => 'optional_no_ca', quiet => 'none' }->{$name} || 'optional';
    my $vars     = $name eq 'quiet' ? 'off' : 'on';
    $httpd->config(<<"CONF");
<VirtualHost *:\${port_https}>
    ServerName $name.test
    SSLEngine on
    SSLCertificateFile "$identity->{cert}"
    SSLCertificateKeyFile "$identity->{key}"
    $second
    SSLVerifyClient $verify
    SSLClientHelloVars $vars
    SSLOptions StdEnvVars ExportCertData ExportBase64CertData
$ask</VirtualHost>
CONF
}
$httpd->config("<Location /long.html>\nSetOutputFilter DEFLATE\n</Location>");
$httpd->file('docs/long.html', 'a page ' x 1000);
$httpd->start_ok or BAIL_OUT('httpd does not start');
my $client = SL::Client->new(port => $httpd->port('https'));

sub openssl { return $certs->openssl(@_) }

# One request: what s_client said and what the variables say.
sub ask {
    my ($name, %o) = @_;
    my ($path, $messages) = ($o{path} || '/cgi/vars', $httpd->root . '/messages');
    my @chain = $o{cert} && -s $o{cert}{chain} ? ('-cert_chain', $o{cert}{chain}) : ();
    unlink $messages;
    my $r = $client->s_client("$name.test", %o, port => $o{port},
        args => ['-msg', '-msgfile', $messages, '-alpn', 'http/1.1', @chain, @{ $o{args} || [] }], input => "GET $path HTTP/1.0\r\nHost: $name.test\r\n\r\n");
    my ($body) = $r->{out} =~ /\r\n\r\n(.*?)end\n/s;
    return { %$r, messages => slurp($messages), told => defined $body ? SL::Variables::told($httpd, $body) : {} };
}

# ---- certificates ----

sub field {
    my ($cert, @how) = @_;
    my $text = openssl('x509', '-in', $cert->{cert}, '-noout', '-nameopt', 'RFC2253,-esc_msb,utf8', @how);
    $text =~ s/^[^=\n]*=\s*//;
    $text =~ s/\n\z//;
    return $text;
}

sub der { my ($cert) = @_; return slurp($certs->der($cert->{cert})) }

sub seconds {
    my ($date) = @_;
    my %month = map { (qw(Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec))[$_] => $_ } 0 .. 11;
    my ($mon, $day, $h, $m, $s, $y) = $date =~ /^(\w+) +(\d+) (\d+):(\d+):(\d+) (\d+) GMT$/ or die $date;
    return timegm($s, $m, $h, $day, $month{$mon}, $y);
}

sub check_certificate {
    my ($what, $side, $cert, $told, $remain_way) = @_;
    my $is = sub { my ($name, $want, $way) = @_; is($told->{ ($way || 'env') . " SSL_${side}_$name" }, $want, "$what: SSL_${side}_$name") };
    my $pem = openssl('x509', '-in', $cert->{cert});
    my $words = openssl('x509', '-in', $cert->{cert}, '-noout', '-text');
    $is->('M_VERSION', $words =~ /Version: (\d+)/);
    $is->('M_SERIAL',  field($cert, '-serial'));
    $is->('S_DN',      field($cert, '-subject'));
    $is->('I_DN',      field($cert, '-issuer'));
    $is->('V_START',   field($cert, '-startdate'));
    $is->('V_END',     field($cert, '-enddate'));
    $is->('A_SIG',     $words =~ /Signature Algorithm: (\S+)/);
    $is->('A_KEY',     $words =~ /Public Key Algorithm: (\S+)/);
    $is->('CERT',      $pem);
    $is->('B64CERT',   encode_base64(der($cert), ''));
    $is->('CERT_SHA256', sha256_hex(der($cert)));
    # Full days, counted when it was asked: a little while ago, so maybe one more than now.
    my ($days, $days_then) = map { int((seconds(field($cert, '-enddate')) - time + $_) / 86400) } 0, 120;
    my $remain = $told->{ ($remain_way || 'env') . " SSL_${side}_V_REMAIN" };
    $is->('V_REMAIN', ($remain // '') eq $days_then ? $days_then : $days, $remain_way);
    for my $part (qw(C O OU CN)) {
        my @values = map { utf8::encode($_); $_ } openssl_parts($cert, '-subject', $part);
        next unless @values;
        $is->("S_DN_$part", $values[0]);
        $is->("S_DN_${part}_$_", $values[$_]) for 1 .. $#values;
        $is->("S_DN_${part}_" . @values, undef);
        $is->("S_DN_${part}_0", $values[0], 'ssl()');
    }
    $is->("I_DN_$_", openssl_parts($cert, '-issuer', $_)) for qw(O CN);
}

# Values of an attribute, from OpenSSL's multi-line form.
sub openssl_parts {
    my ($cert, $which, $part) = @_;
    my $text = openssl('x509', '-in', $cert->{cert}, '-noout', $which, '-nameopt', 'sep_multiline,sname,utf8');
    utf8::decode($text);
    return map { s/^\s+//r } $text =~ /^\s+$part=(.*)$/mg;
}

my $r = ask('rsa', cert => $ann);
check_certificate('RSA server certificate', 'SERVER', $server{rsa}, $r->{told}, 'log');
check_certificate('client certificate', 'CLIENT', $ann, $r->{told}, 'env');
check_certificate('ECDSA server certificate', 'SERVER', $server{ecdsa}, ask('ecdsa')->{told}, 'log');
my $told = $r->{told};

my %want = (
    CLIENT_SAN_Email_0 => 'ann@example.test', CLIENT_SAN_DNS_0 => 'ann.test', CLIENT_SAN_URI_0 => 'urn:one',
    CLIENT_SAN_URI_1   => 'urn:two', CLIENT_SAN_IP_0 => '192.0.2.1', CLIENT_SAN_IP_1 => '2001:db8::1',
    CLIENT_SAN_OTHER_msUPN_0 => 'ann@corp.example', SERVER_SAN_DNS_0 => 'rsa.test', SERVER_SAN_DNS_1 => 'www.rsa.test',
    SERVER_SAN_URI_0 => 'https://rsa.test/', SERVER_SAN_IP_0 => '127.0.0.1', SERVER_SAN_Email_0 => 'post@rsa.test',
    CLIENT_SAN_URI_2 => undef, CLIENT_SAN_IP_2 => undef, SERVER_SAN_DNS_2 => undef, CLIENT_S_DN_UID => 'ann',
    CLIENT_S_DN_SerialNumber => '4711', CLIENT_S_DN_Email => 'ann@example.test',
    CLIENT_CERT_CHAIN_0 => openssl('x509', '-in', $ann->{chain}), CLIENT_CERT_CHAIN_1 => undef,
    CLIENT_B64CERT_CHAIN_0 => encode_base64(slurp($certs->der($certs->ca('client-intermediate'))), ''),
    CLIENT_VERIFY => 'SUCCESS', TLS_SNI => 'rsa.test', SESSION_RESUMED => 'Initial',
    COMPRESS_METHOD => 'NULL', CIPHER_EXPORT => 'false', ALPN => 'http/1.1',
);
is($told->{"env SSL_$_"}, $want{$_}, "SSL_$_") for sort keys %want;
is($told->{'env HTTPS'}, 'on', 'HTTPS');
is($told->{'ssl() SSL_CLIENT_SAN_OTHER_dnsSRV_0'}, '_ldap.ann.test', 'SSL_CLIENT_SAN_OTHER_dnsSRV_0 is looked up');
is($told->{'env SSL_CLIENT_SAN_OTHER_dnsSRV_0'}, undef, '... not exported');
my $serial = Math::BigInt->from_hex('0x' . field($ann, '-serial'));
my $issuer = openssl('x509', '-in', $ann->{cert}, '-noout', '-issuer', '-nameopt', 'RFC2253');
$issuer =~ s/^issuer=\s*|\n//g;
is($told->{'env SSL_CLIENT_CERT_RFC4523_CEA'}, "{ serialNumber $serial, issuer rdnSequence:\"$issuer\" }", 'SSL_CLIENT_CERT_RFC4523_CEA');

my ($httpd_version) = run([SL::Httpd::program(), '-v'])->{out} =~ m{Apache/([\d.]+)};
my ($library)       = run(['openssl', 'version'])->{out} =~ /Library: OpenSSL (\S+)|^OpenSSL (\S+)/ ? $1 // $2 : '';
is($told->{'env SSL_VERSION_INTERFACE'}, "mod_ssl/$httpd_version", 'SSL_VERSION_INTERFACE');
is($told->{'env SSL_VERSION_LIBRARY'},   "OpenSSL/$library",       'SSL_VERSION_LIBRARY');
like($told->{'log SSL_VERSION_LIBRARY_INTERFACE'}, qr{^OpenSSL/\d[\d.]+\S*$}, 'SSL_VERSION_LIBRARY_INTERFACE');

# ---- the connection ----

my %group = ('X25519' => 'x25519', 'P-256' => 'secp256r1', 'ECDH, prime256v1' => 'secp256r1', 'ECDH, secp384r1' => 'secp384r1');
my %bits  = (AES128 => 128, AES256 => 256, CHACHA20 => 256, AES_128 => 128, AES_256 => 256);

sub check_connection {
    my ($what, $r) = @_;
    my $told = $r->{told};
    is($told->{'env SSL_PROTOCOL'}, $r->{text} =~ /^\s*Protocol\s*: (\S+)/m ? $1 : $r->{protocol}, "$what: SSL_PROTOCOL");
    is($told->{'env SSL_CIPHER'}, $r->{cipher}, "$what: SSL_CIPHER");
    my ($bits) = map { $bits{$_} } grep { $r->{cipher} =~ /$_/ } keys %bits;
    is($told->{'env SSL_CIPHER_USEKEYSIZE'}, $bits, "$what: SSL_CIPHER_USEKEYSIZE");
    is($told->{'env SSL_CIPHER_ALGKEYSIZE'}, $bits, "$what: SSL_CIPHER_ALGKEYSIZE");
    like($told->{'env SSL_HANDSHAKE_MS'}, qr/^\d+$/, "$what: SSL_HANDSHAKE_MS");
    cmp_ok($told->{'env SSL_HANDSHAKE_MS'}, '<=', $r->{seconds} * 1000, '... not longer than s_client ran');
}

my @cases = (
    ['rsa',     [qw(-tls1_3 -groups X25519)],                                    'x25519',    'rsa_pss_rsae_sha256'],
    ['rsa',     [qw(-tls1_3 -groups P-256 -sigalgs RSA-PSS+SHA384)],             'secp256r1', 'rsa_pss_rsae_sha384'],
    ['rsa',     [qw(-tls1_2 -groups P-384 -sigalgs RSA+SHA256)],                 'secp384r1', 'rsa_pkcs1_sha256'],
    ['rsa',     [qw(-tls1_2 -groups P-256 -cipher ECDHE-RSA-CHACHA20-POLY1305)], 'secp256r1', 'rsa_pss_rsae_sha256'],
    ['pss',     [qw(-tls1_3 -groups P-256)],                                     'secp256r1', 'rsa_pss_pss_sha256'],
    ['ecdsa',   [qw(-tls1_3 -groups P-384)],                                     'secp384r1',      'ecdsa_secp256r1_sha256'],
    ['ecdsa',   [qw(-tls1_2 -groups X25519:P-256 -sigalgs ECDSA+SHA384)],        'x25519',    'ecdsa_secp384r1_sha384'],
    ['ed25519', [qw(-tls1_3 -groups X25519)],                                    'x25519',    'ed25519'],
);
for my $case (@cases) {
    my ($name, $args, $group, $sigalg) = @$case;
    my $r = ask($name, args => $args);
    check_connection("$name @$args", $r);
    is(lc $r->{told}{'env SSL_KEX_GROUP'}, $group, '... SSL_KEX_GROUP');
    is($r->{told}{'env SSL_SERVER_SIGALG'}, $sigalg, '... SSL_SERVER_SIGALG');
    is($r->{told}{'env SSL_CLIENT_SIGALG'}, undef, '... no SSL_CLIENT_SIGALG without a client certificate');
}
is(ask('rsa', cert => $ec, args => ['-tls1_3'])->{told}{'env SSL_CLIENT_SIGALG'}, 'ecdsa_secp256r1_sha256', 'SSL_CLIENT_SIGALG of an ECDSA client');
is(ask('rsa', cert => $ann, args => [qw(-tls1_2 -client_sigalgs RSA+SHA256)])->{told}{'env SSL_CLIENT_SIGALG'} // '',
    'rsa_pkcs1_sha256', 'SSL_CLIENT_SIGALG of an RSA client');

is(ask('rsa', args => ['-tls1_2'])->{told}{'env SSL_SECURE_RENEG'}, 'true', 'SSL_SECURE_RENEG');

my @offer = qw(ECDHE-RSA-AES128-GCM-SHA256 ECDHE-ECDSA-AES256-GCM-SHA384 ECDHE-RSA-AES256-GCM-SHA384);
is(ask('rsa', args => ['-tls1_2', '-cipher', join ':', @offer])->{told}{'log SSL_SHARED_CIPHERS'}, join(':', @offer),
    'SSL_SHARED_CIPHERS: what both have, in the order of the client');

my $unnamed = ask('ecdsa', sni => '')->{told};
is_deeply([@$unnamed{'env HTTPS', 'env SSL_TLS_SNI'}], ['on', undef], 'no SSL_TLS_SNI without a name');
is(ask('rsa', args => ['-alpn', 'unknown', '-alpn', 'http/1.1'])->{told}{'env SSL_ALPN'}, 'http/1.1', 'SSL_ALPN as s_client asked');
my $plain_alpn = $client->curl('https://rsa.test/cgi/vars', args => ['--no-alpn']);
is(SL::Variables::told($httpd, $plain_alpn->{body})->{'env SSL_ALPN'}, undef, 'no SSL_ALPN if the client offers none');

for my $flag (qw(-tls1_2 -tls1_3)) {
    my $file = $httpd->root . "/session$flag";
    my @seen = map { ask('rsa', cert => $ann, args => [$flag, $_, $file]) } qw(-sess_out -sess_in);
    is($seen[1]{resumed}, 1, "$flag: s_client resumes");
    is_deeply([map { $_->{told}{'env SSL_SESSION_RESUMED'} } @seen], ['Initial', 'Resumed'], '... SSL_SESSION_RESUMED');
    like($seen[1]{told}{'env SSL_SESSION_ID'}, qr/^[0-9a-f]{64}$/, '... SSL_SESSION_ID');
    check_certificate('... resumed', 'SERVER', $server{rsa}, $seen[1]{told}, 'log');
    check_certificate('... resumed', 'CLIENT', $ann,         $seen[1]{told}, 'env');
    is($seen[1]{told}{'env SSL_CLIENT_VERIFY'}, 'SUCCESS', '... SSL_CLIENT_VERIFY');
    is($seen[1]{told}{'env SSL_SERVER_SIGALG'}, undef, '... nothing was signed');
}

for my $type ('rsa', 'ecdsa') {
    my $file = $httpd->root . "/session-$type";
    my $suite = 'ECDHE-' . uc($type) . '-AES128-GCM-SHA256';
    my @seen = map { ask('two', args => ['-tls1_2', '-cipher', $suite, $_, $file]) } qw(-sess_out -sess_in);
    is($seen[1]{resumed}, 1, "two certificates, $type: s_client resumes");
    is($_->{told}{'env SSL_SERVER_CERT_SHA256'}, sha256_hex(der($server{$type})), '... SSL_SERVER_CERT_SHA256 is that of the certificate shown')
        for @seen;
}

# ---- verification ----

my $none = ask('rsa')->{told};
is($none->{'env SSL_CLIENT_VERIFY'}, 'NONE', 'no certificate: SSL_CLIENT_VERIFY');
is($none->{'env SSL_CLIENT_VERIFY_ERRSTR'}, undef, '... no SSL_CLIENT_VERIFY_ERRSTR');
is($none->{'env SSL_CLIENT_CERT'}, '', '... SSL_CLIENT_CERT is there and empty');
is_deeply([grep {/^env SSL_CLIENT_(?!VERIFY$|CERT$)/} keys %$none], [], '... no other SSL_CLIENT_ variable');
my ($error) = run(['openssl', 'verify', '-no-CAfile', '-no-CApath', '-no-CAstore', $stranger->{cert}])->{err} =~ /depth lookup: (.*)/;
for my $flag (qw(-tls1_2 -tls1_3)) {
    my $told = ask('free', cert => $stranger, args => [$flag])->{told};
    is($told->{'env SSL_CLIENT_VERIFY'}, 'GENEROUS', "$flag: optional_no_ca: SSL_CLIENT_VERIFY");
    like($told->{'env SSL_CLIENT_VERIFY_ERRSTR'}, qr/^(?:\Q$error\E|unable to verify the first certificate)$/, '... SSL_CLIENT_VERIFY_ERRSTR says what was forgiven');
    is($told->{'log c:errstr'}, '-', '... %{errstr}c has nothing to tell');
    my $file = $httpd->root . "/generous$flag";
    my @seen = map { ask('free', cert => $stranger, args => [$flag, $_, $file]) } qw(-sess_out -sess_in);
    is($seen[1]{resumed}, 1, '... s_client resumes');
    is($seen[1]{told}{'env SSL_CLIENT_VERIFY'}, 'GENEROUS', '... still GENEROUS');
}
is(ask('free', cert => $expired)->{told}{'env SSL_CLIENT_VERIFY'}, undef, 'optional_no_ca: an expired certificate does not get in');

# ---- the ClientHello ----

sub u16s { return unpack 'n*', $_[0] }
sub is_grease { return ($_[0] & 0x0f0f) == 0x0a0a && $_[0] >> 8 == ($_[0] & 0xff) }

# The ClientHello out of s_client's -msg dump.
sub hello {
    my ($text) = @_;
    my ($dump) = $text =~ /^>>> .*, ClientHello\n((?: +[0-9a-f ]+\n)+)/m or die "no hello in $text";
    my $bytes = pack 'H*', $dump =~ s/\s//gr;
    my ($type, $length, $version, $random, $id, $suites, $compressions, $block) = unpack 'C a3 n a32 C/a n/a C/a n/a', $bytes;
    my (%extension, @types);
    while (length $block) {
        (my $t, my $body, $block) = unpack 'n n/a a*', $block;
        push @types, $t;
        $extension{$t} = $body;
    }
    return { version => $version, suites => $suites, types => \@types, extension => \%extension };
}

sub ja3 {
    my ($h) = @_;
    my $list = sub { join '-', grep { !is_grease($_) } @_ };
    return join ',', $h->{version}, $list->(u16s($h->{suites})), $list->(@{ $h->{types} }),
        $list->(u16s(substr $h->{extension}{10} // '  ', 2)), join '-', unpack 'C*', substr $h->{extension}{11} // ' ', 1;
}

sub ja4 {
    my ($h, $alpn) = @_;
    my @suites = grep { !is_grease($_) } u16s($h->{suites});
    my @types  = grep { !is_grease($_) } @{ $h->{types} };
    my ($highest) = sort { $b <=> $a } grep { !is_grease($_) } exists $h->{extension}{43} ? u16s(substr $h->{extension}{43}, 1) : $h->{version};
    my $hex  = sub { join ',', map { sprintf '%04x', $_ } @_ };
    my $head = sprintf 't%s%s%02d%02d%s', { 0x304 => 13, 0x303 => 12 }->{$highest}, exists $h->{extension}{0} ? 'd' : 'i',
        scalar @suites, scalar @types, $alpn;
    my $rest = $hex->(sort { $a <=> $b } grep { $_ != 0 && $_ != 16 } @types);
    $rest .= '_' . $hex->(u16s(substr $h->{extension}{13}, 2)) if $h->{extension}{13};
    return join '_', $head, substr(sha256_hex($hex->(sort { $a <=> $b } @suites)), 0, 12), substr(sha256_hex($rest), 0, 12);
}

for my $case (['a plain one', 'h1'], ['TLS 1.2 alone', 'h1', '-tls1_2'], ['three protocols', 'xx', '-alpn', 'x-x,http/1.1'],
    ['few groups', 'h1', '-groups', 'P-256:X25519', '-ciphersuites', 'TLS_AES_128_GCM_SHA256'], ['without a name', 'h1']) {
    my ($what, $alpn, @args) = @$case;
    my $unnamed = $what eq 'without a name';    # the first virtual host then answers
    my $r = ask($unnamed ? 'ecdsa' : 'rsa', args => \@args, $unnamed ? (sni => '') : ());
    my ($h, $told) = (hello($r->{messages}), $r->{told});
    my $part = sub { my ($type, $skip) = @_; my $body = $h->{extension}{$type}; return defined $body ? unpack 'H*', substr $body, $skip : undef };
    my %want = (
        VERSION => sprintf('%04x', $h->{version}), CIPHERS => unpack('H*', $h->{suites}),
        EXTENSIONS => unpack('H*', pack 'n*', @{ $h->{types} }), GROUPS => $part->(10, 2), EC_FORMATS => $part->(11, 1),
        SIG_ALGOS => $part->(13, 2), ALPN => $part->(16, 2), VERSIONS => $part->(43, 1),
    );
    is($told->{"env SSL_CLIENTHELLO_$_"}, $want{$_}, "hello, $what: SSL_CLIENTHELLO_$_") for sort keys %want;
    is($told->{'env SSL_JA3'},      ja3($h),          '... SSL_JA3');
    is($told->{'env SSL_JA3_HASH'}, md5_hex(ja3($h)), '... SSL_JA3_HASH');
    is($told->{'env SSL_JA4'},      ja4($h, $alpn),   '... SSL_JA4');
}
my $quiet = ask('quiet')->{told};
is_deeply([grep { / SSL_(?:CLIENTHELLO|JA)/ && $quiet->{$_} !~ /^(?:-|\(null\)|)$/ } sort keys %$quiet], [], 'nothing of the hello is kept unless asked for');

# ---- the ways in ----

for my $name (sort grep {/^env SSL_/} keys %$told) {
    (my $bare = $name) =~ s/^env //;
    my $value = $told->{$name};
    next unless exists $told->{"expr $bare"};
    is($told->{"expr $bare"},    $value, "%{$bare} in an expression is what the environment has");
    is($told->{"ssl() $bare"},   $value, "... ssl('$bare')");
    is($told->{"rewrite $bare"}, $value, '... mod_rewrite');
    (my $line = $value) =~ s/\n/ /g;
    is(($told->{ 'headers ' . uc $bare } // '') =~ s/\s+/ /gr =~ s/ $//r, $line =~ s/\s+/ /gr =~ s/ $//r, '... mod_headers');
    (my $logged = $value) =~ s/([\\"])/\\$1/g;
    $logged =~ s/([^ -~])/$1 eq "\n" ? '\\n' : sprintf '\\x%02x', ord $1/ge;
    is($told->{"log $bare"}, $value eq '' ? '-' : $logged, '... the access log');
}
my %ours = map { $_ => 1 } @SL::Variables::new;
my @not_exported = grep { $ours{$_} && !defined $told->{"env $_"} } @SL::Variables::new;
is_deeply([grep { $told->{"ssl() $_"} ne '' } @not_exported], ['SSL_SHARED_CIPHERS'], 'all new variables are exported but the long list of suites');
my $bare = ask('rsa', path => '/bare/vars', cert => $ann)->{told};
is_deeply([sort grep {/^env (?!X_)/} keys %$bare], ['env HTTPS', 'env SSL_TLS_SNI'], 'without StdEnvVars: HTTPS and SSL_TLS_SNI');
like($bare->{'log SSL_CLIENT_S_DN'}, qr/CN=Ann/, '... all others can be asked for');

my $deflated = $client->curl('https://rsa.test/long.html', args => ['-H', 'Accept-Encoding: gzip']);
is($deflated->{headers}{'content-encoding'}, 'gzip', 'mod_deflate compresses: it asks for SSL_COMPRESS_METHOD') or diag $deflated->{head};

# ---- how long the handshake took: a relay keeps the second half of the hello for a while ----

sub relay {
    my ($pause) = @_;
    my $listen = IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => 0, Listen => 1) or die "listen: $@";
    my $pid = fork // die "fork: $!";
    return ($listen->sockport, $pid) if $pid;
    my $near = $listen->accept;
    my $far = IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $httpd->port('https')) or POSIX::_exit(1);
    sysread $near, my $hello, 65536;
    syswrite $far, substr $hello, 0, 20, '';
    select undef, undef, undef, $pause;
    syswrite $far, $hello;
    my $both = IO::Select->new($near, $far);
    while (1) {
        for my $from ($both->can_read(10)) {
            sysread($from, my $bytes, 65536) or POSIX::_exit(0);
            syswrite $from == $near ? $far : $near, $bytes;
        }
    }
}

my ($port, $pid) = relay(1);
my $slow = ask('rsa', port => $port)->{told};
kill 'KILL', $pid;
waitpid $pid, 0;
cmp_ok($slow->{'env SSL_HANDSHAKE_MS'}, '>=', 500, 'SSL_HANDSHAKE_MS counts the time the client took');

$httpd->stop;
done_testing;
