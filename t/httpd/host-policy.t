# A request whose Host is not the name of the handshake is served as far as SSLVHostSNIPolicy has it; the log names the
# setting that differs. As mod_ssl, but for what is no difference to security.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Certs;
use SL::Client;
use SL::Command qw(run scratch_dir slurp spew);
use SL::Conf qw(tls_host page);
use SL::Httpd;
use SL::Parity;

my $certs = SL::Certs->new;
my @own   = map { $certs->server('any.test', type => $_, names => ['a.test']) } qw(ecdsa rsa);
my $other = $certs->server('other.test', type => 'ecdsa');
my ($ca, $other_ca) = map { $certs->ca($_) } qw(client-ca other-ca);
my $crl = $certs->crl('client-ca');

# What else a host says, and how it differs from a.test for the log.
my %host = (
    'same.test'    => [''],
    'cert.test'    => ['SSLCertificateFile'],
    'fewer.test'   => ['SSLCertificateFile'],
    'order.test'   => [''],
    'copy.test'    => [''],
    'proto.test'   => ['SSLProtocol', 'SSLProtocol TLSv1.3'],
    'copy-proto.test' => ['SSLProtocol', 'SSLProtocol TLSv1.3'],
    'ciphers.test' => ['SSLCipherSuite', 'SSLCipherSuite ECDHE-RSA-AES128-GCM-SHA256'],
    'suites.test'  => ['SSLCipherSuite TLSv1.3', 'SSLCipherSuite TLSv1.3 TLS_AES_128_GCM_SHA256'],
    'honor.test'   => ['', 'SSLHonorCipherOrder on', 'SSLSessionTickets off', 'SSLStrictSNIVHostCheck off'],
    'verify.test'  => ['SSLVerifyClient', 'SSLVerifyClient optional_no_ca'],
    'require.test' => ['SSLVerifyClient', 'SSLVerifyClient require'],
    'depth.test'   => ['SSLVerifyDepth', 'SSLVerifyDepth 3'],
    'ca.test'      => ['SSLCACertificateFile', "SSLCACertificateFile $other_ca"],
    'names.test'   => ['SSLCADNRequestFile', "SSLCADNRequestFile $other_ca"],
    'crl.test'     => ['SSLCARevocationFile', "SSLCARevocationFile $crl", 'SSLCARevocationCheck chain'],
    'command.test' => ['SSLOpenSSLConfCmd', 'SSLOpenSSLConfCmd Groups X25519'],
    'off.test'     => ['SSLEngine', 'SSLEngine off'],
);
my @auth = qw(verify.test require.test depth.test ca.test names.test crl.test command.test off.test);
my @security = (@auth, qw(cert.test fewer.test proto.test copy-proto.test ciphers.test suites.test));
my @hosts = sort keys %host;

sub config {
    my ($httpd, @main) = @_;
    my @copies = map {
        { cert => 1, full => spew($httpd->root . '/' . ($_ == $own[0] ? 'a' : 'b') . '.pem', slurp($_->{full})), key => $_->{key} }
    } @own;
    my %certs = ('cert.test' => [$other, $own[1]], 'fewer.test' => [$own[0]], 'order.test' => [reverse @own], 'copy.test' => \@copies, 'copy-proto.test' => \@copies,
        'off.test' => []);
    my $common = "SSLCACertificateFile $ca";
    page($httpd, 'a.test', 'alone.test', @hosts);
    $httpd->config(join '', "Listen 127.0.0.1:\${port_https}\nListen 127.0.0.1:\${port_alone}\n", map({"$_\n"} @main),
        tls_host('a.test', \@own, $common, 'ServerAlias alias.test'),
        map({ my ($differs, @lines) = @{ $host{$_} }; tls_host($_, $certs{$_} || \@own, $common, @lines) } @hosts),
        tls_host({ name => 'alone.test', port => 'alone' }, \@own, 'SSLStrictSNIVHostCheck on'));
}

# One request for each host, all with the server name a.test, most over one connection: "code page".
sub ask_all {
    my ($client, $http, @names) = @_;
    my (@args, %got);
    my $dir = scratch_dir('sl-pages');
    for my $name (@names) {
        push @args, @args ? '--next' : (), '-sk', "--http$http", '--noproxy', '*', '--max-time', 20, '-H', "Host: $name",
            '--resolve', "a.test:$client->{port}:127.0.0.1", '-o', "$dir/$name", '-w', "$name %{http_code}\n", "https://a.test:$client->{port}/";
    }
    my $out = run(['curl', @args])->{out};
    while ($out =~ /^(\S+) (\d+)$/mg) { $got{$1} = $2 }
    return { map { my ($page) = slurp("$dir/$_") =~ /^this is (\S+)/; ($_ => ($got{$_} // 'none') . ' ' . ($page // 'none')) } @names };
}

sub ask_for { my ($name, @names) = @_; return { name => $name, run => sub { ask_all($_[0], '1.1', @names) } } }

# A request without a server name, or without a Host.
sub says {
    my ($name, $sni, $text) = @_;
    return { name => $name, run => sub {
        my ($client, $httpd) = @_;
        my $out = $client->s_client('a.test', sni => $sni, input => $text)->{out};
        my ($code, $page) = ($out =~ m{^HTTP/1\.[01] (\d+)}m, 'none');
        $page = $1 if $out =~ /^this is (\S+)/m;
        return { code => $code, page => $page };
    } };
}

my @without_name = map { says("no server name, $_", '', "GET / HTTP/1.1\r\nHost: $_\r\nConnection: close\r\n\r\n") }
    qw(a.test same.test cert.test);
my @odd = (
    says('no Host',         'a.test', "GET / HTTP/1.0\r\n\r\n"),
    says('neither',         '',       "GET / HTTP/1.0\r\n\r\n"),
    says('an unknown Host', 'a.test', "GET / HTTP/1.1\r\nHost: nobody.test\r\nConnection: close\r\n\r\n"),
);
my %refused = (strict => [@hosts], secure => \@security, authonly => \@auth, insecure => [], '' => \@security);
for my $policy ('', qw(strict secure authonly insecure)) {
    my @line = $policy ? "SSLVHostSNIPolicy $policy" : ();
    # A copy of a certificate's file is no difference. Where the certificate is asked for too late mod_ssl closes.
    my %except = (secure => 'copy.test', insecure => 'require.test');
    my $except = $except{$policy} || '';
    my %differs = (
        'copy.test'    => { row => 'SNI / Host policy', 'copy.test' => '200 copy.test' },
        'require.test' => { row => 'per-directory client certificates', 'require.test' => '403 none' },
    );
    parity(name => $policy, config => sub { config($_[0], @line) },
        requests => [ask_for('each host', 'a.test', 'alias.test', grep { $_ ne $except } @hosts), ask_for($except, $except || ()),
            @without_name, @odd],
        differs => { $except ? ($except => $differs{$except}) : () })
        if $policy;

    my $httpd = SL::Httpd->new(name => $policy || 'no policy set', modules => ['http2']);
    config($httpd, @line, 'Protocols h2 http/1.1');
    $httpd->start_ok or BAIL_OUT('httpd does not start');
    my $client = SL::Client->new(port => $httpd->port('https'));
    my %want = map { $_ => "200 $_" } @hosts;
    $want{'alias.test'} = '200 a.test';
    $want{$_} = '421 none' for @{ $refused{$policy} };
    $want{'require.test'} = '403 none' if $policy eq 'insecure';
    for my $http ('1.1', '2') {
        my $got = ask_all($client, $http, sort keys %want);
        is($got->{$_}, $want{$_}, "$httpd->{name}, HTTP/$http: $_: $want{$_}") for sort keys %want;
    }
    my $log = $httpd->error_log;
    for my $host (@{ $refused{$policy} }) {
        my $setting = $policy eq 'strict' && $host ne 'off.test' ? 'the virtual host' : $host{$host}[0];
        my $line = qr/AH02032: Hostname a\.test .* hostname \Q$host\E .* they differ in \Q$setting\E \(SSLVHostSNIPolicy\)/;
        like($log, $line, "... $host: the log says it is $setting");
    }
    $httpd->stop;
}

# SSLStrictSNIVHostCheck, in the main server and in the hosts of the handshake and of the request
for my $where ('main', 'a.test', 'same.test') {
    my $config = sub {
        my ($httpd) = @_;
        config($httpd, $where eq 'main' ? 'SSLStrictSNIVHostCheck on' : ());
        $httpd->{text} =~ s/(ServerName \Q$where\E\n)/$1SSLStrictSNIVHostCheck on\n/;
    };
    parity(name => "SSLStrictSNIVHostCheck in $where", config => $config,
        requests => [@without_name[0, 1], ask_for('both', 'a.test', 'same.test')]);
}
my $httpd = SL::Httpd->new;
config($httpd, 'SSLStrictSNIVHostCheck on');
$httpd->start_ok or BAIL_OUT('httpd does not start');
my $client = SL::Client->new(port => $httpd->port('https'));
my $get = sub { $client->s_client('a.test', input => "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n", @_) };
my $s = $get->(sni => '');
like($s->{out}, qr{^HTTP/1\.1 403 .*Server Name Indication}sm, 'SSLStrictSNIVHostCheck: 403 and a reason for a client without a name');
ok($httpd->wait_for_log(qr/AH02033: No hostname was provided via SNI for a name based virtual host/), '... also in the log');
like($get->()->{out}, qr{^HTTP/1\.1 200 }m, '... 200 for one with a name');
like($get->(sni => 'nobody.test')->{out}, qr{^HTTP/1\.1 200 }m, '... whatever name');
like($get->(sni => '', port => $httpd->port('alone'))->{out}, qr{^HTTP/1\.1 200 }m, '... and where one host has the address to itself');
$s = $client->s_client('a.test', input => "GET / HTTP/1.0\r\n\r\n");
like($s->{out}, qr{^HTTP/1\.1 400 }m, 'a server name, but no Host: 400');
ok($httpd->wait_for_log(qr/AH02031: Hostname a\.test provided via SNI, but no hostname provided in HTTP request/), '... the log says so');
$s = $client->s_client('a.test', sni => "evil\x07\"name.test", input => "GET / HTTP/1.0\r\n\r\n");
ok($httpd->wait_for_log(qr/AH02031: Hostname evil\\+x07\\*"name\.test/), '... with hostile names escaped') or diag $httpd->new_log;
$httpd->stop;
done_testing;
