# Each sample configuration in conf/ starts as it stands (but for paths and ports) and does what it says.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Certs;
use SL::Client;
use SL::Command qw(find_program run slurp spew);
use SL::Httpd;

my $conf  = "$FindBin::Bin/../../conf";
my $certs = SL::Certs->new;

# The sample with the paths and ports of this test.
sub sample {
    my ($name, $httpd, %path) = @_;
    my $text = slurp("$conf/$name");
    ok(length $text, "$name is there");
    for my $from (sort { length $b <=> length $a } keys %path) { $text =~ s/\Q$from\E/$path{$from}/g }
    my ($https, $http) = ($httpd->port('https'), $httpd->port('http'));
    $text =~ s/:443>/:$https>/g;
    $text =~ s/:80>/:$http>/g;
    unlike($text, qr{^[^#]*(?:/etc/|/var/)}m, '... and every path in it was given one of this test');
    return $text;
}

# site.conf with the settings of securelayer.conf, loaded by securelayer.load.
{
    my $httpd = SL::Httpd->new(tls => 'none', modules => ['socache_shmcb', 'authz_host']);
    my $module = SL::Httpd::module_path('securelayer');
    my $load = sample('securelayer.load', $httpd, '/usr/lib/apache2/modules/mod_securelayer.so' => $module);
    $load =~ s/securelayer_module/ssl_module/ if $module =~ /mod_ssl\.so$/;
    my %type = (ecdsa => $certs->server('www.example.org', type => 'ecdsa', names => ['www.example.org', 'example.org']),
        rsa => $certs->server('www.example.org', type => 'rsa', names => ['www.example.org', 'example.org']));
    my $site = sample('site.conf', $httpd, '/var/www/html' => '${docs}',
        map { my $t = $_; ("/etc/ssl/example.org/$t.pem" => $type{$t}{full}, "/etc/ssl/example.org/$t.key" => $type{$t}{key}) } keys %type);
    $httpd->config($load);
    $httpd->config("Define APACHE_LOG_DIR \"\${root}/logs\"\nDefine APACHE_RUN_DIR \"\${root}/run\"\nListen 127.0.0.1:\${port_https}\nListen 127.0.0.1:\${port_http} http\n");
    $httpd->config(sample('securelayer.conf', $httpd));
    $httpd->config($site);
    is($httpd->configtest->{status}, 0, 'httpd -t accepts it');
    $httpd->start_ok or BAIL_OUT('httpd does not start');
    my $client = SL::Client->new(port => $httpd->port('https'));
    is($client->curl('https://www.example.org/')->{body}, "this is the default page\n", 'the site is served');
    is($client->curl('https://example.org/')->{code}, 200, '... by its alias too');
    my $r = $client->curl("http://example.org:@{[$httpd->port('http')]}/a");
    is($r->{headers}{location}, 'https://www.example.org/a', 'plain HTTP is sent to TLS');
    for my $sig (['ecdsa', 'ECDSA+SHA256', 'id-ecPublicKey'], ['rsa', 'RSA-PSS+SHA256', 'rsaEncryption']) {
        my $s = $client->s_client('www.example.org', args => ['-tls1_2', '-sigalgs', "$sig->[1]:RSA+SHA256", '-cipher', $sig->[0] eq 'rsa' ? 'aRSA' : 'aECDSA']);
        ok($s->{connected}, "a client that knows only $sig->[0] gets its certificate") or diag $s->{text};
    }
    SKIP: {
        skip 'securelayer.conf speaks to our module alone', 1 if $module =~ /mod_ssl\.so$/;
        like($client->curl('https://www.example.org/tls-status')->{body}, qr/TLS status/, 'the status page is there');
        like(slurp($httpd->root . '/logs/tls.log'), qr/ www\.example\.org TLSv1\.3 TLS_\w+ "GET \/ HTTP/, 'the log of its own says what was agreed on');
    }
    $httpd->stop;
}

# client-certificates.conf
{
    my $httpd = SL::Httpd->new;
    my $server = $certs->server('members.example.org', type => 'ecdsa');
    my %who = map { $_->[0] => $certs->client($_->[0], subject => "/O=$_->[1]/CN=$_->[0]", issuer => $_->[2], revoked => $_->[3]) }
        ['member', 'Example', 'client-ca', 0], ['guest', 'Elsewhere', 'client-ca', 0], ['former', 'Example', 'client-ca', 1],
        ['forger', 'Example', 'other-ca', 0], ['branch', 'Example', 'client-intermediate', 0];
    $httpd->file('docs/members/index.html', "for members\n");
    $httpd->config("Listen 127.0.0.1:\${port_https}\n"
            . sample('client-certificates.conf', $httpd, '/var/www/members' => '${docs}/members',
                '/etc/ssl/example.org/members.pem' => $server->{full}, '/etc/ssl/example.org/members.key' => $server->{key},
                '/etc/ssl/example.org/members-ca.pem' => $certs->ca('client-ca'),
                '/etc/ssl/example.org/members-crl.pem' => $certs->crl('client-ca')));
    is($httpd->configtest->{status}, 0, 'httpd -t accepts it');
    $httpd->start_ok or BAIL_OUT('httpd does not start');
    my $client = SL::Client->new(port => $httpd->port('https'));
    my $get = sub { $client->curl('https://members.example.org/', cert => $who{ $_[0] }) };
    is($get->('member')->{body}, "for members\n", 'a member comes in');
    is($get->('branch')->{code}, 200, '... also one whose certificate a CA below signed');
    is($get->('guest')->{code},  403, 'a certificate of another organisation is refused by the rule');
    for my $refused (qw(former forger nobody)) {
        my $r = $get->($refused);
        is($r->{code}, 0, "the handshake refuses: $refused") or diag $r->{head};
    }
    $httpd->stop;
}
# mass-hosting.conf
{
    my $httpd = SL::Httpd->new(modules => ['vhost_alias']);
    my $live = $httpd->root . '/work/live';
    mkdir $live, 0700;
    my $add = sub {
        my ($name) = @_;
        my $pair = $certs->server($name, type => 'ecdsa');
        mkdir "$live/$name", 0700;
        spew("$live/$name/privkey.pem", slurp($pair->{key}), 0600);
        spew("$live/$name/fullchain.pem", slurp($pair->{full}), 0600);
        $httpd->file("docs/$name/index.html", "this is $name\n");
    };
    $add->('one.example.org');
    $httpd->config("Listen 127.0.0.1:\${port_https}\n"
            . sample('mass-hosting.conf', $httpd, '/var/www/sites' => '${docs}', '/etc/letsencrypt/live' => $live,
                '/var/log/apache2/sites.log' => 'logs/sites.log'));
    is($httpd->configtest->{status}, 0, 'httpd -t accepts it');
    $httpd->start_ok or BAIL_OUT('httpd does not start');
    my $client = SL::Client->new(port => $httpd->port('https'));
    is($client->curl('https://one.example.org/')->{body}, "this is one.example.org\n", 'a site is served');
    is($client->curl('https://two.example.org/')->{code}, 0, '... one that is not there is refused');
    $add->('two.example.org');
    ok(SL::Command::wait_until(sub { ($client->curl('https://two.example.org/')->{body} // '') eq "this is two.example.org\n" }, 10 * SL::Command::slow()),
        '... until it is there');
    like(slurp($httpd->root . '/logs/sites.log'), qr/^one\.example\.org:\d+ 127\.0\.0\.1 .* 200 /m, 'the log says which site it was');
    $httpd->stop;
}

# encrypted-key.conf
{
    my $httpd = SL::Httpd->new;
    my $server = $certs->server('www.example.org', type => 'ecdsa', names => ['www.example.org', 'example.org']);
    my $phrase = spew($httpd->root . '/conf/phrase', "#!/bin/sh\necho 'a pass phrase'\n", 0700);
    $httpd->config("Listen 127.0.0.1:\${port_https}\n"
            . sample('encrypted-key.conf', $httpd, '/var/www/html' => '${docs}', '/etc/ssl/example.org/phrase' => $phrase,
                '/etc/ssl/example.org/www.pem' => $server->{full},
                '/etc/ssl/example.org/www.encrypted.key' => $certs->encrypted_key($server->{key}, 'a pass phrase')));
    is($httpd->configtest->{status}, 0, 'httpd -t accepts it');
    $httpd->start_ok or BAIL_OUT('httpd does not start');
    is(SL::Client->new(port => $httpd->port('https'))->curl('https://www.example.org/')->{code}, 200, 'the site is served with the opened key');
    $httpd->stop;
}

# token.conf
SKIP: {
    skip 'no SoftHSM, or no OpenSSL engine pkcs11', 1 unless find_program('softhsm2-util') && glob('/usr/lib/*/engines-3/pkcs11.so');
    my $dir = SL::Command::scratch_dir('sl-token');
    my $hsm = spew("$dir/softhsm2.conf", "directories.tokendir = $dir/tokens\nobjectstore.backend = file\nlog.level = ERROR\n");
    mkdir "$dir/tokens", 0755;
    my $httpd = SL::Httpd->new(env => { SOFTHSM2_CONF => $hsm, PKCS11_MODULE_PATH => (grep {-e} '/usr/lib/softhsm/libsofthsm2.so', glob '/usr/lib/*/softhsm/libsofthsm2.so')[0] });
    my $server = $certs->server('www.example.org', type => 'ecdsa', names => ['www.example.org', 'example.org']);
    run(['openssl', 'pkcs8', '-topk8', '-nocrypt', '-in', $server->{key}, '-out', "$dir/www.p8"]);
    run($_, env => { SOFTHSM2_CONF => $hsm }) for ['softhsm2-util', '--init-token', '--free', '--label', 'web', '--pin', '471100', '--so-pin', '0815000'],
        ['softhsm2-util', '--import', "$dir/www.p8", '--token', 'web', '--label', 'www', '--id', '01', '--pin', '471100'];
    run(['chown', '-R', 'www-data', "$dir/tokens"]) if $> == 0;
    $httpd->config("Listen 127.0.0.1:\${port_https}\n"
            . sample('token.conf', $httpd, '/var/www/html' => '${docs}', '/etc/ssl/example.org/www.pem' => $server->{full},
                '/etc/ssl/example.org/pin' => spew("$dir/pin", '471100', 0600)));
    is($httpd->configtest->{status}, 0, 'httpd -t accepts it') or diag $httpd->configtest->{err};
    $httpd->start_ok or BAIL_OUT('httpd does not start');
    is(SL::Client->new(port => $httpd->port('https'))->curl('https://www.example.org/')->{code}, 200, 'the site is served with the key on the token');
    $httpd->stop;
}
done_testing;
