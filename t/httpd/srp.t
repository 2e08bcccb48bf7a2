# Users who log in with a password in the handshake (SSLSRPVerifierFile), side by side with mod_ssl.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Httpd;
use SL::Certs;
use SL::Conf qw(tls_host);
use SL::Command qw(run slurp spew scratch_dir);

if (run(['openssl', 'ciphers', 'SRP'])->{status} || run(['curl', '-V'])->{out} !~ /TLS-SRP/) {
    plan skip_all => 'this OpenSSL, or that of curl, has no SRP';
}

my $gnutls = run(['gnutls-cli', '--list'])->{out} =~ /SRP/;
my $certs = SL::Certs->new;
my $cert  = $certs->server('one.test', type => 'rsa');
my $dir   = scratch_dir('sl-srp');
my $file  = "$dir/users.srpv";

sub add_user {
    my ($name, $password, $note) = @_;
    my $r = run(['openssl', 'srp', '-srpvfile', $file, '-userinfo', $note, '-gn', '3072', '-passout', "pass:$password", '-add', $name]);
    is($r->{status}, 0, "openssl makes a verifier for $name") or diag $r->{err};
    return;
}
spew($file, '');
add_user('ann', 'open sesame', 'from the first floor');
add_user('bob', 'something else', 'from the cellar');

# Asks for pages, one connection each, as a user with a password. (OpenSSL's own s_client crashes when it logs in.)
sub login {
    my ($httpd, $paths, $name, $password) = @_;
    my $port = $httpd->port('https');
    return run(['curl', '-sS', '-i', '-k', '--tls-max', '1.2', '--ciphers', 'aSRP:ECDHE+AESGCM', '-H', 'Connection: close', '--max-time', 30,
            '--resolve', "one.test:$port:127.0.0.1", defined $name ? ('--tlsuser', $name, '--tlspassword', $password) : (),
            map { "https://one.test:$port$_" } split ' ', $paths], timeout => 60);
}

my $host = join "\n    ", "SSLSRPVerifierFile $file", 'SSLCipherSuite aSRP:HIGH', 'SSLProtocol TLSv1.2';
my $told = "<Location />\n        SSLOptions +StdEnvVars\n        Header always set X-Who \"%{SSL_SRP_USER}s/%{SSL_SRP_USERINFO}s/%{SSL_CLIENT_VERIFY}s/%{SSL_SESSION_RESUMED}s\"\n    </Location>\n    CustomLog \${root}/logs/access %{SSL_SRP_USER}x/%{SSL_SESSION_RESUMED}x";
for my $tls ($ENV{SL_SAN} ? () : ('mod_ssl'), 'securelayer') {
    for my $case (['plain', $host], ['asks for certificates', "$host\n    SSLVerifyClient optional\n    SSLCACertificateFile @{[$certs->ca]}"]) {
        my ($what, $lines) = @$case;
        my $httpd = SL::Httpd->new(tls => $tls, modules => ['headers'], name => "$tls, $what");
        $httpd->file('docs/one.test/index.html', "the page\n");
        $httpd->config("Listen 127.0.0.1:\${port_https}\n" . tls_host('one.test', $cert, $lines, $told,
                "<Location /section>\n        SSLVerifyClient require\n    </Location>"));
        $httpd->file('docs/one.test/section/index.html', "the section\n");
        $httpd->start_ok or next;
        my $r = login($httpd, '/', 'ann', 'open sesame');
        like($r->{out}, qr/the page/, "$tls, $what: the right password opens");
        like($r->{out}, qr{^X-Who: ann/from the first floor/NONE/Initial\r?$}m, '... and the variables tell who it is');
        like(login($httpd, '/', 'bob', 'something else')->{out}, qr{^X-Who: bob/from the cellar/NONE/Initial\r?$}m, '... another user is another');
        like(login($httpd, '/section/', 'ann', 'open sesame')->{out}, qr/the section/, '... a section that requires a certificate asks for none');
        unlike(login($httpd, '/', 'ann', 'wrong word')->{out}, qr/the page/, '... a wrong password does not open');
        $r = login($httpd, '/', 'nobody', 'whatever');
        unlike($r->{out}, qr/the page/, '... nor does a name that is not in the file');
        if ($tls eq 'securelayer') {
            ok($httpd->wait_for_log(qr/\(login\) .*the password is wrong/), '... the log knows the wrong password');
            ok($httpd->wait_for_log(qr/\(login\) .*no user of the name/), '... and the unknown name');
        }
        # With a session, to come back.
        if ($gnutls) {
            $r = run(['gnutls-cli', '--insecure', '-p', $httpd->port('https'), '--srpusername', 'ann', '--srppasswd', 'open sesame', '--resume',
                    '--priority', 'NORMAL:-KX-ALL:+SRP-RSA:+SRP:-VERS-TLS1.3', '--sni-hostname', 'one.test', '127.0.0.1'],
                stdin => "GET / HTTP/1.0\r\nHost: one.test\r\n\r\n", timeout => 60);
            ok($httpd->wait_for_access(qr{^ann/Resumed$}m), '... a resumed session tells who it is') or diag $r->{out}, $httpd->access_log;
        }

        # Who does not log in is an ordinary client.
        my $ordinary = login($httpd, '/');
        like($ordinary->{out}, qr{^X-Who: \(null\)/\(null\)/NONE/Initial\r?$}m, '... who does not log in is nobody');
        $httpd->stop;
    }

    # A password is no certificate.
    my $strict = SL::Httpd->new(tls => $tls, modules => ['headers'], name => "$tls, requires certificates");
    $strict->file('docs/one.test/index.html', "the page\n");
    $strict->config("Listen 127.0.0.1:\${port_https}\n" . tls_host('one.test', $cert, "$host\n    SSLVerifyClient require\n    SSLCACertificateFile @{[$certs->ca]}"));
    $strict->start_ok or next;
    unlike(login($strict, '/', 'ann', 'open sesame')->{out}, qr/the page/, "$tls: a host that requires certificates wants one of who logs in, too");
    $strict->stop;

    # Names that do not exist.
    my $httpd = SL::Httpd->new(tls => $tls, modules => ['headers'], name => "$tls, seed");
    $httpd->file('docs/one.test/index.html', "the page\n");
    $httpd->config("Listen 127.0.0.1:\${port_https}\n" . tls_host('one.test', $cert, "$host\n    SSLSRPUnknownUserSeed \"a secret of this server\"", $told));
    $httpd->start_ok or next;
    my $r = login($httpd, '/', 'nobody', 'whatever');
    unlike($r->{out}, qr/the page/, "$tls: with a seed a name that is not in the file does not open either");
    is($r->{err}, login($httpd, '/', 'ann', 'wrong word')->{err}, '... and looks like a wrong password');
    like(login($httpd, '/', 'ann', 'open sesame')->{out}, qr/the page/, '... and the right password opens');
    $httpd->stop;

    # Files that are none.
    spew("$dir/broken.srpv", "V\tnot a number\tsalt\tann\n");
    for my $bad (['missing', "$dir/none.srpv"], ['broken', "$dir/broken.srpv"]) {
        my $check = SL::Httpd->new(tls => $tls, modules => ['headers'], name => "$tls, $bad->[0]");
        $check->config("Listen 127.0.0.1:\${port_https}\n" . tls_host('one.test', $cert, "SSLSRPVerifierFile $bad->[1]"));
        ok(!$check->start, "$tls: a $bad->[0] file stops the start") or $check->stop;
        if ($tls eq 'securelayer') {
            my $reason = $bad->[0] eq 'missing' ? 'No such file or directory' : 'has a line that is no verifier';
            like($check->said, qr{httpd\.conf:\d+: SSLSRPVerifierFile: .*\Q$bad->[1]\E: $reason}, '... and the log names line, file and reason')
                or diag $check->said;
        }
    }
}
done_testing;
