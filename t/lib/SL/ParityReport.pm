package SL::ParityReport;

# The parity report: every directive of mod_ssl with many arguments in every place, through httpd -t of both (and a start,
# where they do not agree); every variable in every way to ask, over TLS 1.2 and 1.3, with a client certificate and
# without. rows() gives records {what, name, tried, same, rules => {rule => [cases]}, differs => [cases]}; text(rows)
# the page.

use strict;
use warnings;
use Exporter 'import';
use SL::Certs;
use SL::Client;
use SL::Command qw(spew);
use SL::Httpd;
use SL::Variables;

our @EXPORT_OK = qw(rows text);

my @flag   = ('on', 'off', 'ON', 'yes', '1', '""', '', 'on off');
my @number = ('0', '1', '300', '2147483647', '-1', 'ten', '1x', '', '1 2');
my @file   = ('"${ca}"', 'gone.pem', '"${docs}"', '"${docs}/empty.pem"', '', '"${ca}" "${ca}"');
my @dir    = ('"${cas}"', '/gone', '"${ca}"', '');
my @text   = ('x', '', 'a b');
my @url    = ('http://127.0.0.1:1/', 'http://ocsp.example.test', '', 'a b');
my @verify = qw(none optional require optional_no_ca on off OPTIONAL maybe);
my @versions = ('all', 'all -SSLv3', 'TLSv1.2', 'TLSv1.2 TLSv1.3', '+TLSv1.2 +TLSv1.3', '-all +TLSv1.3', 'SSLv2', '-SSLv2 all', 'TLSv1.4', '-all', '');
my @suites = ('HIGH:!aNULL', 'SSL HIGH', 'TLSv1.3 TLS_AES_128_GCM_SHA256', 'ssl HIGH', 'TLSv1.2 HIGH', 'a b c', 'NONSENSE', '');
my @crls   = ('none', 'chain', 'leaf no_crl_for_cert_ok', 'all', 'leaf nonsense', '');
my @caches = ('none', 'shmcb:scache(65536)', 'shmcb', 'cupboard', 'shmcb:scache(100)', '', 'none none');

# What to try with a directive; the first pattern that fits.
my @try = (
    [qr/^SSLEngine$/, 'on', 'off', 'On', 'optional', 'maybe', '', 'on off'],
    [qr/^SSLCARevocationFile$/, '"${crl}"', @file],
    [qr/^SSLCertificate(?:Key)?File$/, '"${both}"', @file[1 .. $#file]],
    [qr/^SSL(?:Proxy)?Protocol$/, @versions], [qr/^SSL(?:Proxy)?CipherSuite$/, @suites],
    [qr/^SSL(?:Proxy)?VerifyClient$|^SSLProxyVerify$/, @verify, ''], [qr/^SSL(?:Proxy)?CARevocationCheck$/, @crls],
    [qr/^SSLSessionCache$/, @caches, 'nonenotnull'], [qr/^SSLStaplingCache$/, @caches],
    [qr/^SSLVHostSNIPolicy$/, qw(strict secure authonly insecure STRICT lax), ''],
    [qr/^SSLOpenSSLConfCmd$/, 'Groups X25519', 'CipherString HIGH', 'Nonsense x', 'Groups nonsense', 'Groups', 'A b c', ''],
    [qr/^SSLOptions$/, '+StdEnvVars', 'StdEnvVars ExportCertData', '-FakeBasicAuth', '+Nonsense', ''],
    [qr/^SSLOCSPEnable$/, 'on', 'off', 'leaf', 'on no_ocsp_for_cert_ok', 'maybe', ''],
    [qr/^SSLOCSPProxyURL$/, 'http://127.0.0.1:1', 'http://[', ''],
    [qr/^SSLPassPhraseDialog$/, 'builtin', 'exec:/bin/true', 'exec:/gone', '|', '|/bin/true', 'x', ''],
    [qr/^SSLRandomSeed$/, 'startup builtin', 'connect builtin', 'startup file:/dev/urandom 512', 'startup exec:/bin/true', 'startup builtin 5', 'never builtin', 'startup', ''],
    [qr/^SSLCryptoDevice$/, 'builtin', 'nonsense', ''], [qr/^SSLFIPS$/, 'off', 'maybe', ''],
    [qr/^SSLRequire$/, 'true', '%{SSL_CIPHER} != ""', '%{SSL_CIPHER', ''], [qr/^SSLRequireSSL$/, '', 'on', 'off'],
    [qr/^SSLUserName$/, 'SSL_CLIENT_S_DN_CN', '', 'a b'], [qr/^SSLSessionTicketKeyFile$/, '"${ticket}"', @file[1 .. $#file]],
    [qr/^SSLSRPVerifierFile$/, @file[1 .. $#file]],
    [qr/^SSLProxyMachineCertificateFile$/, '"${both}"', @file[1 .. $#file]], [qr/^SSLProxyMachineCertificatePath$/, '/gone', ''],
    [qr/^SSLLog/, 'x', ''],
    [qr/Responder$|URL$/, @url], [qr/Skew$|MaxAge$|Timeout$|Depth$|BufferSize$/, @number], [qr/File$/, @file], [qr/Path$/, @dir],
    [qr/Seed$/, @text], [qr/./, @flag],
);
sub values_of { my ($name) = @_; for (@try) { my ($fits, @values) = @$_; return @values if $name =~ $fits } return }

# Differences that the compatibility page asks for: [row, directive, arguments].
my @rules = (
    ['numbers', qr/Skew$|MaxAge$|Timeout$|Depth$|BufferSize$/, qr/^(?:ten|1x|)$/],
    ['per-directory SSLCipherSuite', qr/^SSLCipherSuite$/, qr/^(?:TLSv1\.3 |NONSENSE$)/],
    ['client certificate OCSP', qr/^SSLOCSPResponderTimeout$/, qr/^2147483647$/],    # a deadline, not one for each read
    ['client certificate OCSP', qr/^SSLOCSPResponseMaxAge$/, qr/^-1$/],              # documented there, but refused
    ['OCSP stapling', qr/^SSLStaplingResponderTimeout$/, qr/^2147483647$/],
    ['OCSP stapling', qr/^SSLStaplingResponseMaxAge$/, qr/^-1$/],
    ['revocation lists', qr/^SSLCARevocationFile$/, qr/^"\$\{ca\}"$/],
);
# A line that ours refuses at httpd -t, and mod_ssl only once it starts: the row "start".
my $start = 'start';

sub config {
    my ($where, $line, $given) = @_;
    my %in = (main => '', vhost => '', dir => '', $where => $line);
    return <<"CONF";
Listen 127.0.0.1:\${port_https}
$in{main}
<VirtualHost *:\${port_https}>
    ServerName one.test
    SSLEngine on
    SSLCertificateFile "$given->{cert}"
    SSLCertificateKeyFile "$given->{key}"
    SSLCACertificateFile "$given->{ca}"
$in{vhost}
    <Directory "\${docs}">
$in{dir}
    </Directory>
</VirtualHost>
CONF
}

sub try_lines {
    my ($httpd, $given, $name, $row) = @_;
    for my $where (qw(main vhost dir)) {
        for my $value (values_of($name)) {
            my $line = $value eq '' ? $name : "$name $value";
            $_->set_config(config($where, $line, $given)) for values %$httpd;
            my ($theirs, $ours) = map { $httpd->{$_}->configtest } qw(mod_ssl securelayer);
            if ($ours->{err} =~ /Invalid command '\Q$name\E'/) { push @{ $row->{differs} }, 'not there'; return }
            judge($httpd, $row, $name, $value, "$where: $line", $theirs->{status}, $ours->{status});
        }
    }
    return;
}

sub judge {
    my ($httpd, $row, $name, $value, $case, $theirs, $ours) = @_;
    $row->{tried}++;
    if ($theirs == $ours) { $row->{same}++; return }
    for my $rule (@rules) {
        my ($what, $directive, $arguments) = @$rule;
        next unless $name =~ $directive && $value =~ $arguments;
        push @{ $row->{rules}{$what} }, $case;
        return;
    }
    if ($ours && !$theirs) {
        my $up = $httpd->{mod_ssl}->start;
        $httpd->{mod_ssl}->end_process('TERM') if $up;
        if (!$up) { push @{ $row->{rules}{$start} }, $case; return }
    }
    push @{ $row->{differs} }, "$case (mod_ssl $theirs, ours $ours)";
    return;
}

sub directives {
    my $certs = SL::Certs->new;
    my $one   = $certs->server('one.test', type => 'ecdsa', issuer => 'intermediate');
    my $ca    = $certs->ca('client-ca');
    my %httpd = map { $_ => SL::Httpd->new(tls => $_, name => $_, modules => ['socache_shmcb', 'proxy']) } qw(mod_ssl securelayer);
    for my $httpd (values %httpd) {
        spew($httpd->docs . '/empty.pem', '');
        spew($httpd->root . '/ticket', 'k' x 48);
        $httpd->define(ca => $ca, crl => $certs->crl('client-ca'), both => $one->{both}, cas => $certs->hashed('cas', $ca), ticket => $httpd->root . '/ticket');
    }
    my %given = (cert => $one->{full}, key => $one->{key}, ca => $ca);
    my @rows;
    for my $name (sort $httpd{mod_ssl}->configtest('-L')->{out} =~ /^(SSL\w+) \(mod_ssl\.c\)$/mg) {
        my $row = { what => 'directive', name => $name, tried => 0, same => 0, rules => {}, differs => [] };
        try_lines(\%httpd, \%given, $name, $row);
        push @rows, $row;
    }
    return @rows;
}

# ---- variables ----

sub told {
    my ($tls) = @_;
    my $certs = SL::Certs->new;
    my $cert  = $certs->server('vars.test', type => 'rsa', end => '+2190h');
    my $ann   = $certs->client('ann', end => '+2190h', names => ['email:ann@example.test', 'DNS:ann.example.test']);
    my $httpd = SL::Httpd->new(tls => $tls, name => $tls, modules => [qw(cgi env headers rewrite)]);
    $httpd->config(SL::Variables::config($httpd) . "Listen 127.0.0.1:\${port_https}\n<VirtualHost *:\${port_https}>\nServerName vars.test\n"
            . "SSLEngine on\nSSLProtocol all -SSLv3 -TLSv1 -TLSv1.1\nSSLCertificateFile \"$cert->{cert}\"\nSSLCertificateKeyFile \"$cert->{key}\"\n"
            . "SSLCACertificateFile \"@{[$certs->ca('client-ca')]}\"\nSSLVerifyClient optional\nSSLOptions +StdEnvVars +ExportCertData\n"
            . SL::Variables::ask() . "</VirtualHost>\n");
    $httpd->start or die $httpd->said;
    my $client = SL::Client->new(port => $httpd->port('https'));
    my %all;
    for my $case (map { my $v = $_; map { [$v, $_] } undef, $ann } qw(1_2 1_3)) {
        my ($version, $who) = @$case;
        my $r = $client->s_client('vars.test', args => ["-tls$version"], cert => $who,
            input => "GET /cgi/vars/path?query HTTP/1.0\r\nHost: vars.test\r\nUser-Agent: test\r\nX-Test: x\r\n\r\n");
        my ($body) = $r->{out} =~ /\r\n\r\n(.*?)end\n/s or die "no answer: $r->{text}";
        my $told = SL::Variables::told($httpd, $body);
        my ($port, $root) = ($httpd->port('https'), $httpd->root);
        for my $key (keys %$told) {
            my $value = $told->{$key} =~ s/\b$port\b/PORT/gr =~ s/\Q$root\E/ROOT/gr;
            $value =~ s{OpenSSL/\d[\w.-]*}{OpenSSL/VERSION} if $key =~ /LIBRARY|SERVER_SOFTWARE/;
            $value =~ s/\d/9/g if $key =~ / TIME(?:_|$)/;
            $value =~ s/^[0-9a-f]{64}$/ID/ if $key =~ / SSL_SESSION_ID$/;
            $all{ $who ? "TLS $version, certificate: $key" : "TLS $version: $key" } = $value;
        }
    }
    $httpd->stop;
    return \%all;
}

sub variables {
    my ($theirs, $ours) = map { told($_) } qw(mod_ssl securelayer);
    my %flat = map { SL::Variables::flat($_) => $_, SL::Variables::flat($_) =~ tr/-/_/r => $_ } SL::Variables::names();
    my %row  = map { $_ => { what => 'variable', name => $_, tried => 0, same => 0, rules => {}, differs => [] } } SL::Variables::names();
    for my $key (sort keys %{ { %$theirs, %$ours } }) {
        my ($case, $name) = $key =~ /^(.*) (\S+)$/ or next;
        $name = $flat{ $name =~ tr/-/_/r } // $name;
        my $row = $row{$name} or next;
        $row->{tried}++;
        my ($a, $b) = map { $_->{$key} // '(none)' } $theirs, $ours;
        if ($a eq $b) { $row->{same}++ }
        else          { push @{ $row->{differs} }, "$case (mod_ssl '$a', ours '$b')" }
    }
    return grep { $_->{tried} } map { $row{$_} } sort keys %row;
}

sub rows { return (directives(), variables()) }

# ---- the page ----

sub outcome {
    my ($row) = @_;
    return '**differs**: ' . join '; ', @{ $row->{differs} } if @{ $row->{differs} };
    my @better = map { "better by *$_*: " . join ', ', map {"`$_`"} @{ $row->{rules}{$_} } } sort keys %{ $row->{rules} };
    return @better ? join '; ', @better : 'same as mod_ssl';
}

sub table {
    my ($title, @rows) = @_;
    return "## $title\n\n| name | tried | same | outcome |\n| --- | --- | --- | --- |\n"
        . join '', map { my $r = $_; (my $said = outcome($r)) =~ s/\|/\\|/g; "| `$r->{name}` | $r->{tried} | $r->{same} | $said |\n" } @rows;
}

sub text {
    my @rows = @_;
    my @directives = grep { $_->{what} eq 'directive' } @rows;
    my @variables  = grep { $_->{what} eq 'variable' } @rows;
    return <<"HEAD" . table('Directives', @directives) . "\n" . table('Variables', @variables);
# Parity with mod_ssl

Made by `t/parity/report`. Each directive of mod_ssl is written with right and wrong arguments into the main server, a
virtual host and a section; both modules judge the same lines (`httpd -t`). Each variable is asked for in every way there
is, over TLS 1.2 and 1.3, with a client certificate and without. *Better by* names the rule of
[Better, on purpose](compatibility.md#better-on-purpose) that asks for the difference.

HEAD
}

1;
