package SL::Variables;

# What the tests of the SSL_... variables share: the names mod_ssl has, configuration that asks for each of them in
# every way there is, and what a request was told.
#
#   $httpd->config(SL::Variables::config($httpd));     main server: log formats; needs the modules below
#   $httpd->config("<VirtualHost ...> ... " . SL::Variables::ask() . " ... </VirtualHost>");
#   my $told = SL::Variables::told($httpd, $body);     body of a request to /cgi/vars
#
# $told is flat: "env SSL_CIPHER" (the environment, also what begins with X_), "expr NAME", "ssl() NAME", "rewrite NAME", "headers NAME", "log NAME".

use strict;
use warnings;
use Exporter 'import';
use MIME::Base64 qw(decode_base64);
use SL::Command qw(wait_until slow);

our @EXPORT_OK = qw(@connection @certificate @other @new names config ask told);

my @attributes = qw(C ST SP L O OU CN T I G S D SerialNumber UID Email);
my @dn = map { my $n = $_; ($n, map {"$n\_$_"} 'RAW', 0, 1, 2, '1_RAW') } @attributes;

# mod_ssl's names, from its manual and its behaviour.
our @connection = (
    'HTTPS',
    map {"SSL_$_"}
        qw(TLS_SNI PROTOCOL SESSION_ID SESSION_RESUMED SECURE_RENEG COMPRESS_METHOD CIPHER CIPHER_EXPORT CIPHER_USEKEYSIZE
        CIPHER_ALGKEYSIZE VERSION_INTERFACE VERSION_LIBRARY VERSION_LIBRARY_INTERFACE CLIENT_VERIFY SRP_USER SRP_USERINFO
        CLIENT_CERT_RFC4523_CEA CLIENT_CERT_CHAIN_0 CLIENT_CERT_CHAIN_1 CLIENT_CERT_CHAIN_2 CLIENT_CERT_CHAIN_00)
);
our @certificate = map {
    my $side = $_;
    map {"SSL_${side}_$_"} qw(M_VERSION M_SERIAL V_START V_END V_REMAIN A_SIG A_KEY CERT S_DN I_DN),
        (map {"SAN_$_"} map { my $kind = $_; map {"${kind}_$_"} 0, 1, 2 } qw(Email DNS OTHER_msUPN OTHER_dnsSRV)),
        (map {("S_DN_$_", "I_DN_$_")} @dn)
} qw(CLIENT SERVER);
our @other = (
    (map {"HTTP_$_"} qw(USER_AGENT REFERER COOKIE FORWARDED HOST PROXY_CONNECTION ACCEPT)),
    (map {"REQUEST_$_"} qw(METHOD SCHEME URI FILENAME)),
    (map {"REMOTE_$_"} qw(ADDR HOST IDENT USER)),
    (map {"SERVER_$_"} qw(ADMIN NAME PORT PROTOCOL SOFTWARE)),
    (map {"TIME_$_"} qw(YEAR MON DAY HOUR MIN SEC WDAY)),
    qw(TIME SCRIPT_FILENAME PATH_INFO QUERY_STRING IS_SUBREQ DOCUMENT_ROOT AUTH_TYPE THE_REQUEST API_VERSION),
    qw(HTTP:X-Test HTTP:x-absent ENV:PROBE ENV:PATH ENV:absent ENV:ssl-secure-reneg NO_SUCH_NAME SSL_NO_SUCH_NAME ssl_protocol Ssl_Client_S_DN_CN),
    qw(SSL_CLIENT_SAN_DNS_ SSL_CLIENT_SAN_DNS_x SSL_CLIENT_SAN_DNS_9999 SSL_CLIENT_SAN_DNS_10000 SSL_CLIENT_S_DN_
        SSL_CLIENT_S_DN_XX SSL_CLIENT_S_DN_CN_x SSL_CLIENT_S_DN_CN_0_RAW SSL_CLIENT_S_DN_OU_99),
);
# Ours, and those of httpd's trunk.
our @new = qw(SSL_ALPN SSL_KEX_GROUP SSL_SERVER_SIGALG SSL_CLIENT_SIGALG SSL_CLIENT_CERT_SHA256 SSL_SERVER_CERT_SHA256
    SSL_HANDSHAKE_MS SSL_HANDSHAKE_RTT SSL_CLIENT_VERIFY_ERRSTR SSL_SHARED_CIPHERS SSL_JA3 SSL_JA3_HASH SSL_JA4);
push @new, map {"SSL_CLIENTHELLO_$_"} qw(VERSION CIPHERS EXTENSIONS GROUPS EC_FORMATS SIG_ALGOS ALPN VERSIONS);
for my $side (qw(CLIENT SERVER)) {
    push @new, "SSL_${side}_B64CERT", map { ("SSL_${side}_SAN_URI_$_", "SSL_${side}_SAN_IP_$_") } 0, 1, 2;
}
push @new, map {"SSL_CLIENT_B64CERT_CHAIN_$_"} 0, 1;

sub names { return (@connection, @certificate, @other) }

# A name as part of an environment variable's name.
sub flat { my ($name) = @_; (my $flat = $name) =~ s/[^A-Za-z0-9_]/_/g; return $flat }

my $cgi = <<'EOS';
#!/usr/bin/perl
print "Content-Type: text/plain\n\n";
for my $name (sort keys %ENV) {
    (my $value = $ENV{$name}) =~ s/([^ -~]|%)/sprintf '%%%02x', ord $1/ge;
    print "$name=$value\n";
}
print "end\n";
EOS

# Also writes the CGI program. Modules: cgi, env, headers, rewrite. (mod_cgid
# of httpd 2.4.69 refuses an environment as large as this.)
sub config {
    my ($httpd) = @_;
    $httpd->file('cgi/vars', $cgi);
    $httpd->file('docs/index.html', "page\n");
    my $format = join '\\n', map({"$_=%{$_}x"} names(), @new),
        map({"c:$_=%{$_}c"} qw(version cipher subjectdn clientcert issuerdn cacert errcode errstr nonsense)), 'end';
    return <<"CONF";
ScriptAlias /cgi/ "\${cgi}/"
LogFormat "$format" vars
CustomLog logs/vars vars "expr=%{REQUEST_URI} =~ m#^/[a-z]+/vars#"
CONF
}

# For a virtual host: everything is asked in every way and told to the CGI program.
sub ask {
    my @lines = ('RewriteEngine on');
    for my $name (names(), @new) {
        my $flat = flat($name);
        push @lines, "SetEnvIfExpr \"base64(ssl('$name')) =~ /^(.*)\$/\" S_$flat=\$1";
        push @lines, "SetEnvIfExpr \"base64(%{$name}) =~ /^(.*)\$/\" E_$flat=\$1" if $name =~ /^SSL_/i;
        push @lines, "RewriteRule ^ - [E=R_$flat:%{SSL:$name}]";
        (my $header = $flat) =~ tr/_/-/;
        push @lines, "RequestHeader set H-$header \"%{$name}s\"" if $name =~ /^(SSL_|HTTPS)/;
    }
    return join '', map {"    $_\n"} 'SetEnv PROBE from-the-server', @lines;
}

# What came of one request. The log line is written after the response: it is waited for.
sub told {
    my ($httpd, $body) = @_;
    my (%told, %env);
    while ($body =~ /^([^=\n]+)=(.*)$/mg) {
        my ($name, $value) = ($1, $2);
        $value =~ s/%([0-9a-f]{2})/chr hex $1/ge;
        $env{$name} = $value;
    }
    my %ways = (E => 'expr', S => 'ssl()', R => 'rewrite', HTTP_H => 'headers');
    for my $name (sort keys %env) {
        if ($name =~ /^(E|S|R|HTTP_H)_(.*)$/) {
            $told{"$ways{$1} $2"} = $1 eq 'E' || $1 eq 'S' ? decode_base64($env{$name}) : $env{$name};
        }
        elsif ($name =~ /^(?:SSL_|HTTPS$|X_)/) { $told{"env $name"} = $env{$name} }
    }
    my $log = log_line($httpd);
    while ($log =~ /^([^=\n]+)=(.*)$/mg) { $told{"log $1"} = $2 }
    return \%told;
}

# The log's part that was not there before.
sub log_line {
    my ($httpd) = @_;
    my $path = $httpd->root . '/logs/vars';
    my $line = wait_until(
        sub {
            my $text = SL::Command::slurp($path);
            my $new = substr $text, $httpd->{vars_read} || 0;
            return unless $new =~ /^end\n/m;
            $httpd->{vars_read} = length $text;
            return $new;
        },
        10 * slow()
    );
    return $line // die "no line in $path";
}

1;
