# Each directive and each form of its arguments is accepted or refused as by mod_ssl: the same lines go through httpd -t
# with both, and the exit statuses agree except where the compatibility page says otherwise. Refusals name file, line,
# directive, argument, and what is allowed.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Certs;
use SL::Client;
use SL::Command qw(run slurp spew);
use SL::Httpd;
use SL::Parity;

my $certs = SL::Certs->new;
my ($one, $two) = map { $certs->server("$_.test", type => 'ecdsa', issuer => 'intermediate') } qw(one two);
my $rsa = $certs->server('rsa.test', issuer => 'intermediate');
my $ca  = $certs->ca('client-ca');
my $crl = $certs->crl('client-ca');
my $hashed = $certs->hashed('cas', $ca);
my $both = !$ENV{SL_SAN};    # under a sanitizer ours alone

my %httpd = map { $_ => SL::Httpd->new(tls => $_, name => $_, modules => [map {"socache_$_"} qw(shmcb dbm memcache redis)]) } $both ? qw(mod_ssl securelayer) : 'securelayer';
for (values %httpd) { spew($_->docs . '/empty.pem', '') }

# httpd -t with lines in a place: main server, virtual host, section of it.
sub check {
    my ($tls, $where, $lines) = @_;
    my %in = (main => '', vhost => '', dir => '', $where => $lines);
    my $httpd = $httpd{$tls};
    $httpd->define(cert => $one->{full}, key => $one->{key}, ca => $ca, crl => $crl, both => $one->{both}, cas => $hashed);
    $httpd->set_config(<<"CONF");
Listen 127.0.0.1:\${port_https}
$in{main}
<VirtualHost *:\${port_https}>
    ServerName one.test
    SSLEngine on
    SSLCertificateFile "$one->{full}"
    SSLCertificateKeyFile "$one->{key}"
    SSLCACertificateFile "$ca"
$in{vhost}
    <Directory "\${docs}">
$in{dir}
    </Directory>
</VirtualHost>
CONF
    my $r = $httpd->configtest;
    return $r unless $r->{status} > 1;
    fail("httpd -t ends with status $r->{status} for: $lines");
    return $r;
}

# ---- what both accept ----

my %accepted = (
    vhost => [
        'SSLEngine on', 'SSLEngine ON', 'SSLEngine off', 'sslengine On',
        'SSLCertificateFile "${both}"', 'SSLCertificateKeyFile "${key}"', 'SSLCertificateChainFile "${ca}"',
        'SSLProtocol all', 'SSLProtocol all -SSLv3', 'SSLProtocol all -SSLv2 -SSLv3', 'SSLProtocol -ALL +tlsv1.2 +TLSv1.3',
        'SSLProtocol TLSv1.2', 'SSLProtocol TLSv1.3', 'SSLProtocol TLSv1.2 TLSv1.3', 'SSLProtocol +TLSv1.2 +TLSv1.3',
        'SSLProtocol TLSv1 TLSv1.1', 'SSLProtocol all -TLSv1 -TLSv1.1 -SSLv3',
        'SSLCipherSuite HIGH:!aNULL', 'SSLCipherSuite SSL HIGH', 'SSLCipherSuite TLSv1.3 TLS_AES_128_GCM_SHA256',
        'SSLCipherSuite HIGH:!aNULL:!MD5', 'SSLCipherSuite DEFAULT', 'SSLCipherSuite ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256',
        'SSLHonorCipherOrder on', 'SSLHonorCipherOrder Off', 'SSLHonorCipherOrder on # as we like', 'SSLCompression off', 'SSLSessionTickets off', 'SSLSessionTickets on',
        'SSLOpenSSLConfCmd Groups X25519', 'SSLOpenSSLConfCmd Curves P-256:P-384', 'SSLOpenSSLConfCmd groups P-256',
        'SSLOpenSSLConfCmd Options -SessionTicket', 'SSLOpenSSLConfCmd MinProtocol TLSv1.2', 'SSLOpenSSLConfCmd CipherString HIGH',
        'SSLOpenSSLConfCmd VerifyCAFile "${ca}"', 'SSLOpenSSLConfCmd Certificate "${cert}"',
        'SSLCACertificateFile "${ca}"', 'SSLCACertificatePath "${cas}"', 'SSLCADNRequestFile "${ca}"', 'SSLCADNRequestPath "${cas}"',
        'SSLCARevocationFile "${crl}"', 'SSLCARevocationPath "${cas}"', 'SSLCARevocationCheck none',
        "SSLCARevocationFile \"\${crl}\"\nSSLCARevocationCheck chain", "SSLCARevocationFile \"\${crl}\"\nSSLCARevocationCheck leaf no_crl_for_cert_ok",
        "SSLCARevocationFile \"\${crl}\"\nSSLCARevocationCheck LEAF NO_CRL_FOR_CERT_OK",
        (map {"SSLVerifyClient $_"} qw(none optional require optional_no_ca on off OPTIONAL)),
        'SSLVerifyDepth 0', 'SSLVerifyDepth 10', 'SSLVerifyDepth +3', 'SSLVerifyDepth 100000', 'SSLVerifyDepth 2147483647', 'SSLVerifyDepth " 3"',
        'SSLStrictSNIVHostCheck on', 'SSLStrictSNIVHostCheck off',
        'SSLOptions +StdEnvVars', 'SSLOptions StdEnvVars ExportCertData',
        "SSLEngine off\nSSLCertificateFile \"\${ca}\"",
    ],
    main => [
        (map {"SSLSessionCache $_"} qw(none NONE nonenotnull NoneNotNull shmcb shmcb:scache(8192) default dbm:scache memcache:127.0.0.1:1 redis:127.0.0.1:1)),
        'SSLSessionCacheTimeout 0', 'SSLSessionCacheTimeout 86400', 'Mutex file:${root}/run ssl-cache ssl-stapling ssl-stapling-refresh',
        (map {"SSLVHostSNIPolicy $_"} qw(strict SECURE authonly insecure)), 'SSLProtocol all -SSLv3', 'SSLCertificateFile "${cert}"',
        'SSLOptions +StdEnvVars', "SSLEngine on\nSSLCertificateFile \"\${cert}\"\nSSLCertificateKeyFile \"\${key}\"",
        "<IfModule !ssl_module>\nbroken\n</IfModule>", "<IfModule !mod_ssl.c>\nbroken\n</IfModule>",
        "<If \"true\">\nSSLOptions +StdEnvVars\n</If>", "<Location />\nSSLRequireSSL\nSSLOptions StdEnvVars\n</Location>",
    ],
    dir => [
        (map {"SSLVerifyClient $_"} qw(none optional REQUIRE optional_no_ca off on)), 'SSLVerifyDepth 2', 'SSLCipherSuite HIGH', 'SSLCipherSuite SSL HIGH',
        'SSLUserName SSL_CLIENT_S_DN_CN', 'SSLRenegBufferSize 0', 'SSLRenegBufferSize 1000000', 'SSLRequire %{SSL_CIPHER_USEKEYSIZE} >= 128',
        'SSLRequire %{SSL_CLIENT_S_DN_O} eq "x" and %{TIME_HOUR} > 8 or %{REMOTE_ADDR} =~ m/^127/', 'SSLRequire file("/etc/hostname") == "x"',
        "SSLRequire true\nSSLRequire false",
        'SSLOptions +StdEnvVars -ExportCertData +FakeBasicAuth', 'SSLOptions stdenvvars', 'SSLOptions',
        'SSLOptions StrictRequire OptRenegotiate LegacyDNStringFormat', 'SSLRequireSSL', 'SSLRequireSSL on', 'SSLRequireSSL off',
        'Require ssl', 'Require ssl-verify-client',
    ],
);

for my $where (sort keys %accepted) {
    for my $lines (@{ $accepted{$where} }) {
        my %r = map { $_ => check($_, $where, $lines) } keys %httpd;
        my $name = "$where: $lines" =~ s/\n/ ; /gr;
        ok(!$r{securelayer}{status}, "$name: accepted") or diag $r{securelayer}{err};
        is($r{mod_ssl}{status}, 0, '... by mod_ssl too') or diag $r{mod_ssl}{err} if $both;
    }
}

# ---- what both refuse, and what ours says ----

my @refused = (
    [vhost => 'SSLEngine maybe', qr/SSLEngine: does not know 'maybe'; it takes on, off/],
    [vhost => 'SSLEngine', qr/SSLEngine: takes 1 argument, not 0/], [vhost => 'SSLEngine on off', qr/SSLEngine: takes 1 argument, not 2/],
    [vhost => 'SSLEngine ""', qr/SSLEngine: does not know ''/],
    [dir => 'SSLEngine on', qr/SSLEngine not allowed in <Directory> context/],
    [vhost => 'SSLCertificateFile gone.pem', qr{SSLCertificateFile: \S+/gone\.pem: No such file or directory\. Check the path}],
    [vhost => 'SSLCertificateFile "${docs}"', qr{SSLCertificateFile: \S+/docs: is no regular file}],
    [vhost => 'SSLCertificateFile "${docs}/empty.pem"', qr{SSLCertificateFile: \S+/empty\.pem: is empty}],
    [vhost => 'SSLCertificateFile "${cert}" "${cert}"', qr/SSLCertificateFile: takes 1 argument, not 2/],
    [vhost => 'SSLCertificateFile', qr/SSLCertificateFile: takes 1 argument, not 0/], [vhost => 'SSLCertificateFile ""', qr/SSLCertificateFile: has an empty argument/],
    [vhost => 'SSLCertificateKeyFile /gone', qr{SSLCertificateKeyFile: /gone: No such file}], [vhost => 'SSLCertificateChainFile /gone', qr{SSLCertificateChainFile: /gone: No such}],
    [vhost => 'SSLProtocol SSLv2', qr/SSLProtocol: can't switch SSLv2 on/], [vhost => 'SSLProtocol +SSLv2', qr/can't switch SSLv2 on/],
    [vhost => 'SSLProtocol TLSv1.4', qr/SSLProtocol: does not know the protocol 'TLSv1\.4': use TLSv1,/], [vhost => 'SSLProtocol -', qr/does not know the protocol ''/],
    [vhost => 'SSLProtocol ""', qr/does not know the protocol ''/],
    [vhost => 'SSLCipherSuite ssl HIGH', qr/SSLCipherSuite: knows the protocols SSL and TLSv1\.3, not 'ssl'/],
    [vhost => 'SSLCipherSuite TLSv1.2 HIGH', qr/knows the protocols SSL and TLSv1\.3, not 'TLSv1\.2'/],
    [vhost => 'SSLCipherSuite', qr/SSLCipherSuite: takes at least 1 argument/], [vhost => 'SSLCipherSuite a b c', qr/takes at most 2 arguments, not 3/],
    [vhost => 'SSLCipherSuite ""', qr/has an empty argument/],
    [vhost => 'SSLHonorCipherOrder yes', qr/SSLHonorCipherOrder: must be On or Off, not 'yes'/], [vhost => 'SSLHonorCipherOrder', qr/takes 1 argument/],
    [vhost => 'SSLSessionTickets 1', qr/must be On or Off, not '1'/],
    [vhost => 'SSLOpenSSLConfCmd Nonsense x', qr/SSLOpenSSLConfCmd: 'Nonsense' is no command/], [vhost => 'SSLOpenSSLConfCmd Groups', qr/takes 2 arguments, not 1/],
    [vhost => 'SSLOpenSSLConfCmd', qr/takes 2 arguments, not 0/], [vhost => 'SSLOpenSSLConfCmd A b c', qr/takes 2 arguments, not 3/],
    [vhost => 'SSLOpenSSLConfCmd -groups X25519', qr/'-groups' is no command/], [vhost => 'SSLOpenSSLConfCmd Groups ""', qr/has an empty argument/],
    [vhost => 'SSLOpenSSLConfCmd DHParameters /gone', qr{SSLOpenSSLConfCmd: /gone: No such file}],
    [vhost => 'SSLOpenSSLConfCmd DHParameters "${docs}/empty.pem"', qr{empty\.pem: is empty}], [vhost => 'SSLOpenSSLConfCmd ChainCAPath /gone', qr{/gone: No such file}],
    [main => 'SSLOpenSSLConfCmd Nonsense x', qr/'Nonsense' is no command/],
    [vhost => 'SSLCACertificateFile /gone', qr{/gone: No such file}], [vhost => 'SSLCACertificatePath /gone', qr{/gone: No such file}],
    [vhost => 'SSLCACertificatePath "${ca}"', qr/is no directory/], [dir => 'SSLCACertificateFile "${ca}"', qr/SSLCACertificateFile not allowed in <Directory>/],
    [vhost => 'SSLCARevocationFile /gone', qr{/gone: No such file}], [vhost => 'SSLCADNRequestFile', qr/takes 1 argument/],
    [vhost => 'SSLCARevocationCheck all', qr/SSLCARevocationCheck: does not know 'all'; it takes none, leaf, chain/],
    [vhost => 'SSLCARevocationCheck leaf nonsense', qr/does not know the flag 'nonsense': only no_crl_for_cert_ok/], [vhost => 'SSLCARevocationCheck', qr/takes at least 1/],
    [vhost => 'SSLVerifyClient maybe', qr/SSLVerifyClient: does not know 'maybe'; it takes none, optional/], [vhost => 'SSLVerifyClient ""', qr/does not know ''/],
    [vhost => 'SSLVerifyDepth -1', qr/SSLVerifyDepth: must be between 0 and 2147483647, not -1/], [vhost => 'SSLVerifyDepth', qr/takes 1 argument/],
    [vhost => 'SSLStrictSNIVHostCheck yes', qr/must be On or Off/],
    [main => 'SSLSessionCache cupboard', qr/SSLSessionCache: 'cupboard' is no cache provider that is loaded \(known names: .*shmcb.*\)\. Maybe mod_socache_cupboard has to be loaded/],
    [main => 'SSLSessionCache SHMCB', qr/'SHMCB' is no cache provider/], [main => 'SSLSessionCache dc:UNIX:/x', qr/'dc' is no cache provider/],
    [main => 'SSLSessionCache shmcb:scache(100)', qr/SSLSessionCache: .*size has to be >= 8192 bytes/],
    [main => 'SSLSessionCache shmcb:scache(9000', qr/no closing parenthesis/], [main => 'SSLSessionCache redis:', qr/SSLSessionCache: .*server names/],
    [main => 'SSLSessionCache', qr/takes 1 argument, not 0/], [main => 'SSLSessionCache none none', qr/takes 1 argument, not 2/], [main => 'SSLSessionCache ""', qr/has an empty argument/],
    [vhost => 'SSLSessionCache none', qr/SSLSessionCache (?:cannot|not allowed|can)/], [vhost => 'SSLSessionCacheTimeout -1', qr/must be between 0 and 2147483647, not -1/],
    [vhost => 'SSLSessionCacheTimeout', qr/takes 1 argument/], [main => 'SSLSessionCacheTimeout 2147483648', qr/must be between 0 and/],
    [main => 'SSLVHostSNIPolicy lax', qr/SSLVHostSNIPolicy: does not know 'lax'; it takes strict, secure/], [vhost => 'SSLVHostSNIPolicy secure', qr/SSLVHostSNIPolicy (?:cannot|not allowed|can)/],
    [main => 'SSLVHostSNIPolicy', qr/takes 1 argument/], [main => 'SSLVHostSNIPolicy secure secure', qr/takes 1 argument, not 2/],
    [dir => 'SSLVerifyClient maybe', qr/SSLVerifyClient: does not know 'maybe'/], [dir => 'SSLVerifyDepth -1', qr/must be between/],
    [dir => 'SSLCipherSuite TLSv1.2 HIGH', qr/knows the protocols SSL and TLSv1\.3/], [dir => 'SSLInsecureRenegotiation on', qr/not allowed in <Directory>/],
    [vhost => 'SSLInsecureRenegotiation maybe', qr/must be On or Off/], [dir => 'SSLUserName', qr/takes 1 argument/], [dir => 'SSLUserName a b', qr/takes 1 argument/],
    [dir => 'SSLRenegBufferSize -1', qr/must be between 0 and/], [vhost => 'SSLRenegBufferSize 1000', qr/not allowed/], [vhost => 'SSLRequire true', qr/not allowed/],
    [dir => 'SSLRequire', qr/SSLRequire: has an empty argument/], [dir => 'SSLRequire %{SSL_CIPHER', qr/SSLRequire: can't be understood: /],
    [dir => 'SSLRequire 1 +', qr/can't be understood: /],
    [dir => 'SSLOptions +Nonsense', qr/SSLOptions: does not know the option '\+Nonsense'; there are StdEnvVars /], [dir => 'SSLOptions None', qr/does not know the option 'None'/],
    [dir => 'SSLOptions ""', qr/does not know the option ''/], [vhost => 'SSLRequireSSL', qr/SSLRequireSSL not allowed/],
    [main => 'SSLLog logs/ssl', qr/SSLLog: .*use ErrorLog/], [vhost => 'SSLLogLevel info', qr/SSLLogLevel: .*use LogLevel ssl:LEVEL/], [dir => 'SSLLog', qr/use ErrorLog/],
    [main => 'SSLMutex default', qr/Invalid command 'SSLMutex'/], [dir => 'Require ssl on', qr/Require ssl .*take no arguments/],
);
my $has_zlib = run(['openssl', 'list', '-disabled'])->{out} !~ /^ZLIB$/m;
push @refused, [vhost => 'SSLCompression on', qr/SSLCompression: .*this OpenSSL has no compression methods/] unless $has_zlib;
is(check('securelayer', 'vhost', 'SSLCompression on')->{status}, 0, 'SSLCompression on: taken where OpenSSL can') if $has_zlib;
for my $case (@refused) {
    my ($where, $lines, $said) = @$case;
    my $r = check('securelayer', $where, $lines);
    is($r->{status}, 1, "$where: $lines: refused");
    like($r->{err}, $said, '... and it says why');
    my $file = $httpd{securelayer}->root . '/conf/httpd.conf';
    my @text = split /\n/, slurp($file);
    my ($line) = grep { $text[$_ - 1] eq $lines } 1 .. @text;
    like($r->{err}, qr{line $line of \Q$file\E:|\Q$file\E:$line: }, '... and where');
    is(check('mod_ssl', $where, $lines)->{status}, 1, '... as with mod_ssl') if $both;
}

# ---- where we do better on purpose ----

# [place, lines, row of the compatibility page, what ours says; accepted => 1 if ours takes what mod_ssl does not]
my @differ = (
    [vhost => 'SSLVerifyDepth ten', 'numbers', qr/SSLVerifyDepth: must be a whole number, not 'ten'/],
    [dir => 'SSLRenegBufferSize many', 'numbers', qr/SSLRenegBufferSize: must be a whole number/],
    [vhost => 'SSLVerifyDepth 1x', 'numbers', qr/must be a whole number, not '1x'/], [vhost => 'SSLVerifyDepth 99999999999', 'numbers', qr/must be between/],
    [vhost => 'SSLSessionCacheTimeout soon', 'numbers', qr/SSLSessionCacheTimeout: must be a whole number, not 'soon'/],
    [vhost => 'SSLProtocol -all', 'start', qr/AH02231: .*no protocol version is left/], [vhost => 'SSLProtocol', 'start', qr/AH02231: .*no protocol version is left/],
    [vhost => 'SSLCipherSuite NONSENSE', 'start', qr/AH01898/], [vhost => 'SSLCipherSuite TLSv1.3 HIGH', 'start', qr/AH10127/],
    [vhost => 'SSLOpenSSLConfCmd Groups nonsense', 'start', qr/AH02407/], [vhost => 'SSLCertificateFile conf/mime.types', 'start', qr/AH02572: .*mime\.types/],
    [vhost => 'SSLCACertificateFile conf/mime.types', 'start', qr/AH01895: .*mime\.types/], [vhost => 'SSLCADNRequestFile conf/mime.types', 'start', qr/AH02210: .*mime\.types/],
    [vhost => 'SSLCARevocationFile conf/mime.types', 'start', qr/AH01901: .*mime\.types/], [vhost => 'SSLCARevocationCheck leaf', 'start', qr/AH01899/],
    [main => 'SSLEngine on', 'start', qr/AH02572: \S+ SSLEngine: localhost:\d+: TLS is on for this host, but it has no certificate/],
);
for my $case (@differ) {
    my ($where, $lines, $row, $said) = @$case;
    my $ours = check('securelayer', $where, $lines);
    like($ours->{err}, $said, "$where: $lines: says why it is refused");
    next unless $both;
    SL::Parity::compare("$where: $lines", { status => check('mod_ssl', $where, $lines)->{status} }, { status => $ours->{status} }, { row => $row, status => 1 });
}
# Directives and words of our own and of trunk.
for my $case (
    [vhost => 'SSLPolicy modern'], [vhost => 'SSLPolicy INTERMEDIATE'], [vhost => 'SSLPolicy old'], [vhost => 'SSLPolicy new', qr/does not know 'new'; it takes modern/],
    [vhost => 'SecureLayerUnknownName refuse'], [vhost => 'SecureLayerUnknownName serve'], [vhost => 'SecureLayerUnknownName drop', qr/it takes serve, refuse/],
    [vhost => 'SecureLayerStrictALPN off'], [vhost => 'SecureLayerStrictALPN no', qr/must be On or Off/],
    [vhost => 'SecureLayerHandshakeTimeout 30'], [vhost => 'SecureLayerHandshakeTimeout 0', qr/must be between 1 and 3600, not 0/],
    [main => 'SecureLayerHandshakeQueue 100'], [vhost => 'SecureLayerHandshakeQueue 100', qr/SecureLayerHandshakeQueue (?:cannot|not allowed|can)/],
    [main => 'SecureLayerHandshakeQueue many', qr/must be a whole number/],
    [dir => 'SSLCipherSuite TLSv1.3 TLS_AES_128_GCM_SHA256'],
    [dir => 'SecureLayerClientCertHeader on'], [vhost => 'SecureLayerClientCertHeader chain'], [vhost => 'SecureLayerClientCertHeader maybe', qr/it takes off, on, chain/],
    [main => 'SecureLayerKeyLog keys'], [main => 'SecureLayerKeyLog', qr/takes 1 argument, not 0/], [vhost => 'SecureLayerKeyLog keys', qr/SecureLayerKeyLog (?:cannot|not allowed|can)/],
    [vhost => 'SSLClientHelloVars on'], [vhost => 'SSLClientHelloVars maybe', qr/must be On or Off/], [dir => 'SSLOptions +ExportBase64CertData'],
) {
    my ($where, $lines, $said) = @$case;
    my $r = check('securelayer', $where, $lines);
    is($r->{status}, $said ? 1 : 0, "$where: $lines: @{[$said ? 'refused' : 'accepted']}") or diag $r->{err};
    like($r->{err}, $said, '... and it says why') if $said;
}

# ---- .htaccess ----

my @htaccess = (    # [folder, AllowOverride, text]
    ['options', 'Options', "SSLOptions +StdEnvVars\n"], ['options-auth', 'AuthConfig', "SSLOptions +StdEnvVars\n"],
    ['require', 'AuthConfig', "SSLRequireSSL\n"], ['verify', 'AuthConfig', "SSLVerifyClient none\nSSLVerifyDepth 3\nSSLUserName SSL_CIPHER\n"],
    ['verify-options', 'Options', "SSLVerifyClient none\n"], ['expression', 'AuthConfig', "SSLRequire %{SSL_PROTOCOL} =~ m/^TLS/\n"],
    ['expression-false', 'AuthConfig', "SSLRequire %{SSL_PROTOCOL} =~ m/^SSL/\n"], ['expression-wrong', 'AuthConfig', "SSLRequire %{SSL\n"],
    ['expression-file', 'AuthConfig', "SSLRequire file('/etc/hostname') != ''\n"], ['expression-exists', 'AuthConfig', "SSLRequire -f '/etc/hostname'\n"],
    ['expression-options', 'Options', "SSLRequire true\n"], ['buffer', 'AuthConfig', "SSLRenegBufferSize 10\n"],
    ['require-options', 'Options', "SSLRequireSSL\n"],
    ['engine', 'All', "SSLEngine on\n"], ['nonsense', 'All', "\nSSLOptions +Nonsense\n"], ['log', 'All', "SSLLog x\n"], ['none', 'None', "SSLRequireSSL\n"],
);
parity(
    name   => '.htaccess',
    config => sub {
        my ($h) = @_;
        $h->config("Listen 127.0.0.1:\${port_https}\nListen 127.0.0.1:\${port_http}\n<VirtualHost *:\${port_https}>\nServerName one.test\nSSLEngine on\n"
                . "SSLCertificateFile \"$one->{full}\"\nSSLCertificateKeyFile \"$one->{key}\"\n</VirtualHost>\n");
        for (@htaccess) {
            my ($folder, $override, $text) = @$_;
            $h->config("<Directory \"\${docs}/$folder\">\nAllowOverride $override\n</Directory>\n");
            $h->file("docs/$folder/.htaccess", $text);
            $h->file("docs/$folder/index.html", "$folder\n");
        }
    },
    requests => [
        (map { { name => "https $_->[0]", url => "https://one.test/$_->[0]/" } } @htaccess),
        (
            map {
                my $folder = $_->[0];
                { name => "http $folder", run => sub { my ($c, $h) = @_; return { code => $c->curl("http://one.test:@{[$h->port('http')]}/$folder/")->{code} } } }
            } @htaccess
        ),
        {
            name => 'reason in the log',
            run  => sub {
                my ($c, $h) = @_;
                return {} if $h->tls eq 'mod_ssl';
                like($h->error_log, qr{docs/nonsense/\.htaccess: SSLOptions: does not know the option '\+Nonsense'; there are StdEnvVars}, 'a request that meets a wrong .htaccess leaves the reason in the log');
                return {};
            }
        },
    ],
) if $both;

# ---- what arguments and inheritance come to ----

parity(
    name   => 'certificates by position',
    config => "Listen 127.0.0.1:\${port_https}\nSSLCertificateFile \"$rsa->{full}\"\nSSLCertificateKeyFile \"$rsa->{key}\"\n"
        . "SSLCertificateFile \"$one->{full}\"\nSSLCertificateKeyFile \"$one->{key}\"\n"
        . "<VirtualHost *:\${port_https}>\nServerName two.test\nSSLEngine on\nSSLCertificateFile \"$two->{full}\"\nSSLCertificateKeyFile \"$two->{key}\"\n</VirtualHost>\n"
        . "<VirtualHost *:\${port_https}>\nServerName main.test\nSSLEngine on\n</VirtualHost>\n",
    requests => [
        map {
            my ($name, $kind) = @$_;
            { name => "$name, $kind", run => sub {
                my $s = $_[0]->s_client($name, args => ['-tls1_2', '-cipher', $kind]);
                return { connected => $s->{connected} ? 1 : 0, subject => $s->{subject} };
            } }
        } ['two.test', 'aRSA'], ['two.test', 'aECDSA'], ['main.test', 'aRSA'], ['main.test', 'aECDSA']
    ],
) if $both;

parity(
    name    => 'several bare words',
    modules => ['headers'],
    config  => "Listen 127.0.0.1:\${port_https}\nHeader set X-Protocol \"%{SSL_PROTOCOL}e\"\n"
        . "<Directory \"\${docs}\">\nSSLOptions StdEnvVars ExportCertData\n</Directory>\n"
        . "<VirtualHost *:\${port_https}>\nServerName one.test\nSSLEngine on\nSSLProtocol TLSv1.2 TLSv1.3\nSSLCertificateFile \"$one->{full}\"\nSSLCertificateKeyFile \"$one->{key}\"\n</VirtualHost>\n",
    headers  => ['X-Protocol'],
    requests => [
        { name => 'SSLOptions', url => 'https://one.test/' },
        map { my $v = $_; { name => "TLS $v", run => sub { return { connected => $_[0]->s_client('one.test', args => ["-tls1_$v"])->{connected} ? 1 : 0 } } } } 2, 3
    ],
    differs => {
        'SSLOptions' => { row => 'SSLOptions', code => 200, 'header X-Protocol' => 'TLSv1.3' },
        'TLS 2'      => { row => 'SSLProtocol TLSv1.2 TLSv1.3', connected => 1 },
    },
) if $both;
done_testing;
