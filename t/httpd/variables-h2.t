# Streams of an HTTP/2 connection have the variables of their connection: as with mod_ssl, all at a time, and already
# while HTTP/2 is being negotiated.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Certs;
use SL::Client;
use SL::Command qw(run slurp);
use SL::Httpd;
use SL::Parity;
use SL::Variables;

plan skip_all => 'mod_http2 does not work with prefork' if ($ENV{SL_MPM} || '') eq 'prefork';

my $certs = SL::Certs->new;
my $one = $certs->server('one.test', type => 'rsa', end => '+2190h');
my $ann = $certs->client('ann', end => '+2190h', subject => '/C=DE/O=SL Test/OU=One/OU=Two/CN=Ann', names => ['email:ann@example.test']);
my $ca  = $certs->ca('client-ca');

sub host {
    my ($more) = @_;
    return <<"CONF";
Listen 127.0.0.1:\${port_https}
Protocols h2 http/1.1
<VirtualHost *:\${port_https}>
    ServerName one.test
    SSLEngine on
    SSLProtocol all -TLSv1 -TLSv1.1
    SSLCipherSuite ALL
    SSLCertificateFile "$one->{cert}"
    SSLCertificateKeyFile "$one->{key}"
    SSLCACertificateFile "$ca"
    SSLVerifyClient optional
    SSLOptions +StdEnvVars +ExportCertData
$more</VirtualHost>
CONF
}

sub asked {
    my ($version, $cert) = @_;
    return sub {
        my ($client, $httpd) = @_;
        my $r = $client->curl('https://one.test/cgi/vars', http => 2, cert => $cert,
            args => ["--tlsv$version", '--tls-max', $version]);
        my $told = SL::Variables::told($httpd, $r->{body});
        my %new = map { $_ => 1 } @SL::Variables::new;
        delete @$told{ grep { / (\S+)$/ && $new{$1} } keys %$told };
        my ($port, $root) = ($httpd->port('https'), $httpd->root);
        for my $key (keys %$told) {
            $told->{$key} =~ s/\b$port\b/PORT/g;
            $told->{$key} =~ s/\Q$root\E/ROOT/g;
            $told->{$key} =~ s{OpenSSL/\d[\w.-]*}{OpenSSL/VERSION} if $key =~ /LIBRARY|SERVER_SOFTWARE/;    # built with another
            $told->{$key} =~ s/\d/9/g             if $key =~ / TIME(?:_|$)/;
            $told->{$key} =~ s/^[0-9a-f]{64}$/ID/ if $key =~ / SSL_SESSION_ID$/;
        }
        return { version => $r->{version}, %$told };
    };
}

# mod_http2 asks for SSL_PROTOCOL and SSL_CIPHER while the protocol is chosen: RFC 9113 appendix A forbids some suites.
# mod_ssl does not know the suite by then, and a client that has only such suites gets an HTTP/2 connection that is
# closed at once; with us it gets its page over HTTP/1.1.
sub negotiated {
    my ($cipher) = @_;
    return sub {
        my ($client) = @_;
        return { alpn => $client->s_client('one.test', args => ['-tls1_2', '-cipher', $cipher, '-alpn', 'h2,http/1.1'])->{alpn} };
    };
}

my @requests;
for my $version ('1.2', '1.3') {
    push @requests, { name => "TLS $version", run => asked($version) },
        { name => "TLS $version, client certificate", run => asked($version, $ann) };
}
push @requests, map { { name => "HTTP/2 with $_", run => negotiated($_) } }
    qw(ECDHE-RSA-AES128-GCM-SHA256 AES128-GCM-SHA256 ECDHE-RSA-AES128-SHA);
parity(
    name     => 'variables of streams',
    config   => sub { my ($httpd) = @_; $httpd->config(SL::Variables::config($httpd)); $httpd->config(host(SL::Variables::ask())) },
    modules  => [qw(http2 cgi env headers rewrite)],
    requests => \@requests,
    differs  => { map { ("HTTP/2 with $_" => { row => 'variables', alpn => 'http/1.1' }) } qw(AES128-GCM-SHA256 ECDHE-RSA-AES128-SHA) },
);

sub page_with_forbidden_suite {
    my ($client) = @_;
    my $r = $client->curl('https://one.test/', http => 2, args => [qw(--tls-max 1.2 --ciphers AES128-GCM-SHA256)]);
    return "$r->{code} over HTTP/$r->{version}";
}

# ---- many streams of one connection at a time ----

my @names = qw(SSL_SESSION_ID SSL_PROTOCOL SSL_CIPHER SSL_ALPN SSL_CLIENT_S_DN SSL_CLIENT_S_DN_OU_1 SSL_CLIENT_SAN_Email_0 SSL_CLIENT_VERIFY
    SSL_CLIENT_V_REMAIN SSL_SERVER_S_DN_CN SSL_CLIENT_CERT_SHA256 SSL_HANDSHAKE_MS);
my $httpd = SL::Httpd->new(modules => [qw(http2 headers)]);
$httpd->config(host(join '', map({"    Header set S-$_ \"%{$_}s\"\n    Header set E-$_ \"%{$_}e\"\n"} @names),
    "    <Location /legacy/>\n        SSLOptions +LegacyDNStringFormat\n    </Location>\n",
    "    <Location /none/>\n        SSLOptions -StdEnvVars -ExportCertData\n    </Location>\n"));
$httpd->file("docs/$_/index.html", "page\n") for qw(std legacy none);
$httpd->start_ok or BAIL_OUT('httpd does not start');

my $port = $httpd->port('https');
is(page_with_forbidden_suite(SL::Client->new(port => $port)), '200 over HTTP/1.1', 'a client with a suite that HTTP/2 forbids gets its page');
my $dir  = $httpd->root . '/work';
my (@command, %kind) = ('curl', '-sS', '--http2', '--parallel', '--parallel-max', '50', '--noproxy', '*', '--max-time', 20 * SL::Command::slow(),
    '--resolve', "one.test:$port:127.0.0.1", '--cacert', $certs->ca('ca'), '--cert', $ann->{full}, '--key', $ann->{key});
for my $n (1 .. 120) {
    my $kind = (qw(std legacy none))[$n % 3];
    $kind{$n} = $kind;
    push @command, '--dump-header', "$dir/$n", '-o', '/dev/null', '-w', '%{num_connects}\n', "https://one.test:$port/$kind/";
    push @command, '--next', '-sS', '--http2', '--noproxy', '*', '--resolve', "one.test:$port:127.0.0.1", '--cacert', $certs->ca('ca'),
        '--cert', $ann->{full}, '--key', $ann->{key} if $n < 120;
}
my $r = run(\@command, timeout => 30);
is($r->{status}, 0, 'curl gets 120 pages') or diag $r->{err};
my (%seen, %connections);
for my $n (1 .. 120) {
    my %header;
    my $head = slurp("$dir/$n");
    like($head, qr{^HTTP/2 200}, "page $n") or next;
    while ($head =~ /^([es]-ssl_\w+): (.*?)\r$/mig) { $header{ lc $1 } = $2 }
    $connections{ $header{'s-ssl_session_id'} } = 1;
    delete $header{"$_-ssl_session_id"}, delete $header{"$_-ssl_handshake_ms"} for qw(s e);
    $seen{ $kind{$n} }{ join '|', map {"$_=$header{$_}"} sort keys %header } = \%header;
}
cmp_ok(scalar keys %connections, '<', 30, 'they shared connections: ' . keys %connections);
for my $kind (qw(std legacy none)) {
    is(scalar keys %{ $seen{$kind} }, 1, "$kind: all streams saw the same") or diag join "\n", sort keys %{ $seen{$kind} };
    my ($header) = values %{ $seen{$kind} };
    my $dn = $kind eq 'legacy' ? '/C=DE/O=SL Test/OU=One/OU=Two/CN=Ann' : 'CN=Ann,OU=Two,OU=One,O=SL Test,C=DE';
    is($header->{'s-ssl_client_s_dn'}, $dn, '... looked up');
    is($header->{'e-ssl_client_s_dn'}, $kind eq 'none' ? '(null)' : $dn, '... in the environment');
    is($header->{'e-ssl_client_v_remain'}, $kind eq 'none' ? '(null)' : $header->{'s-ssl_client_v_remain'}, '... days left');
    is($header->{'s-ssl_alpn'}, 'h2', '... SSL_ALPN');
}

$httpd->stop;
done_testing;
