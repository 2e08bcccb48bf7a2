# Restarts: certificates whose files stay the same are not read again, changed ones are, settings that were removed are
# gone; a certificate that has become unreadable leaves the one before in place; any other error ends httpd with its
# reason in the log, as with mod_ssl.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Certs;
use SL::Client;
use SL::Command qw(slow slurp spew wait_until);
use SL::Httpd;
use SL::Parity;

plan skip_all => 'one process cannot be restarted gracefully' if ($ENV{SL_SAN} || '') eq 'tsan';

my $certs = SL::Certs->new;
my %pair = map { $_ => $certs->server("$_.test", type => 'ecdsa', issuer => 'intermediate') } qw(one two);
my $renewed = $certs->server('two.test', type => 'ecdsa', issuer => 'intermediate', tag => 'renewed');

my $httpd = SL::Httpd->new;
my ($cert, $key) = map { $httpd->root . "/work/two.$_" } qw(crt key);

# Puts a certificate and key in place as tools do: each a new file under the old name.
sub install {
    my ($new_cert, $new_key) = @_;
    for my $put ([$cert, $new_cert], [$key, $new_key]) {
        spew("$put->[0].new", $put->[1], 0600);
        rename "$put->[0].new", $put->[0] or die "$put->[0]: $!";
    }
    return;
}

sub vhost {
    my ($name, $cert_file, $key_file, $more) = @_;
    return "<VirtualHost *:\${port_https}>\n ServerName $name\n SSLEngine on\n SSLCertificateFile \"$cert_file\"\n"
        . " SSLCertificateKeyFile \"$key_file\"\n" . ($more || '') . "</VirtualHost>\n";
}
# A restart that does not come through is the end: nothing serves any more.
sub restarts {
    my ($name, %o) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return if ok($httpd->restart(%o), $name);
    diag $httpd->new_log;
    done_testing;
    exit 1;
}

my $listen = "Listen 127.0.0.1:\${port_https}\n";
my $hosts  = vhost('one.test', $pair{one}{full}, $pair{one}{key}) . vhost('two.test', $cert, $key);

sub serial_of { my ($client, $host) = @_; my $s = $client->s_client($host); return $s->{text} =~ /-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----/s ? $& : 'none' }
sub pem_of    { my ($pair) = @_; return slurp($pair->{cert}) =~ /(-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----)/s ? $1 : '' }
sub work_done { my ($log) = @_; return [$log =~ /SL0005: (\d+) virtual hosts speak TLS, with (\d+) different settings and (\d+) certificates \((\d+) of them read/g] }

install(slurp($pair{two}{full}), slurp($pair{two}{key}));
$httpd->config($listen . $hosts);
$httpd->start_ok or BAIL_OUT('httpd does not start');
my $client = SL::Client->new(port => $httpd->port('https'));

# ---- what was loaded is kept ----

is_deeply(work_done($httpd->error_log), [2, 1, 2, 0], 'the second pass of a start reads no certificate again');
restarts('a graceful restart');
is_deeply(work_done($httpd->new_log), [2, 1, 2, 0], '... reads none');
restarts('a restart', graceful => 0);
is_deeply(work_done($httpd->new_log), [2, 1, 2, 0], '... reads none');
is(serial_of($client, 'two.test'), pem_of($pair{two}), 'it serves what it had');

# ---- what has changed is read ----

install(slurp($renewed->{full}), slurp($renewed->{key}));
restarts('a graceful restart after one certificate was renewed');
is_deeply(work_done($httpd->new_log), [2, 1, 2, 1], '... reads that one');
is(serial_of($client, 'two.test'), pem_of($renewed), '... and serves it');
is(serial_of($client, 'one.test'), pem_of($pair{one}), '... and the other as before');
unlike($httpd->new_log, qr/SL000[2-4]/, '... and says nothing else');

# ---- what is broken does not get in ----

for my $broken (['half a file', sub { substr slurp($pair{two}{full}), 0, 200 }, sub { slurp($pair{two}{key}) }, 'SSLCertificateFile', qr/PEM block that begins in line 1/],
    ['a new certificate with the old key', sub { slurp($pair{two}{full}) }, sub { slurp($renewed->{key}) }, 'SSLCertificateFile', qr/does not belong to the private key/],
    ['a certificate as key', sub { slurp($renewed->{full}) }, sub { slurp($renewed->{full}) }, 'SSLCertificateKeyFile', qr/holds no private key/]) {
    my ($what, $new_cert, $new_key, $directive, $reason) = @$broken;
    install($new_cert->(), $new_key->());
    restarts("$what: a graceful restart comes through");
    my @told = grep {/SL0004/} split /\n/, $httpd->new_log;
    is(scalar @told, 1, '... and tells it in one line') or diag $httpd->new_log;
    like($told[0] || '', qr/\[ssl:warn\] .*SL0004: \S+httpd\.conf:\d+: $directive: .*two\.test.*the certificate that was served before keeps serving.*/, '... where');
    like($told[0] || '', $reason, '... and why');
    is_deeply(work_done($httpd->new_log), [2, 1, 2, 0], '... both hosts still speak TLS');
    is(serial_of($client, 'two.test'), pem_of($renewed), '... the one before keeps serving');
}
isnt($httpd->configtest->{status}, 0, 'httpd -t refuses it, for it has none before');
restarts('another restart with the broken files');
is(serial_of($client, 'two.test'), pem_of($renewed), '... changes nothing');
install(slurp($pair{two}{full}), slurp($pair{two}{key}));
restarts('a graceful restart with good files');
unlike($httpd->new_log, qr/SL0004/, '... is quiet');
is(serial_of($client, 'two.test'), pem_of($pair{two}), '... and they serve');

# ---- what was taken while the server ran is what was served before ----

my $expired = $certs->server('two.test', type => 'ecdsa', issuer => 'intermediate', tag => 'expired', start => '-20d', end => '-1d');
my $newest  = $certs->server('two.test', type => 'ecdsa', issuer => 'intermediate', tag => 'newest');

sub refused {
    my ($what, $reason) = @_;
    my @told = grep {/SL0004/} split /\n/, $httpd->new_log;
    is(scalar @told, 1, "$what: told in one line") or diag $httpd->new_log;
    like($told[0] || '', qr/the certificate that was served before keeps serving.*$reason/, '... with the reason');
    is(serial_of($client, 'two.test'), pem_of($renewed), '... the one that was taken while the server ran serves on');
    return;
}
$httpd->mark;
install(slurp($renewed->{full}), slurp($renewed->{key}));
ok($httpd->wait_for_log(qr/SL0150: .*two\.crt/, 10 * slow()), 'a certificate is renewed while the server runs');
install(substr(slurp($renewed->{full}), 0, 200), slurp($renewed->{key}));
restarts('a graceful restart finds half a file');
refused('half a file', qr/PEM block/);
ok($httpd->wait_for_log(qr/SL0152: .*two\.crt.*PEM block/, 20 * slow()), '... the keeper looks at it as at a change, and refuses it');
install(slurp($expired->{full}), slurp($expired->{key}));
restarts('a graceful restart finds a certificate that has expired');
refused('expired', qr/expired on/);
restarts('another one');
refused('expired', qr/expired on/);
$httpd->mark;
install(slurp($newest->{full}), slurp($newest->{key}));
ok($httpd->wait_for_log(qr/SL0150: .*two\.crt/, 10 * slow()), 'what is right is taken');
restarts('a graceful restart after that');
unlike($httpd->new_log, qr/SL0004|SL015/, '... is quiet');
is(serial_of($client, 'two.test'), pem_of($newest), '... and serves it');

# ---- what was removed is gone ----

my $ca = $certs->ca('client-ca');
$httpd->set_config("${listen}SSLProtocol TLSv1.2\nSSLSessionTickets off\nSSLOpenSSLConfCmd Groups P-384\nSecureLayerUnknownName refuse\n$hosts"
        . vhost('three.test', $pair{one}{full}, $pair{one}{key}, "SSLVerifyClient require\nSSLCACertificateFile \"$ca\"\n"));
restarts('a restart with more settings');
ok(!$client->s_client('one.test', args => ['-tls1_3'])->{connected}, 'no TLS 1.3');
ok(!$client->s_client('one.test', args => ['-tls1_2', '-groups', 'X25519:P-256'])->{connected}, 'no other group than P-384');
ok(!$client->s_client('nobody.test')->{connected}, 'no unknown names');
unlike($client->s_client('one.test', args => ['-tls1_2'])->{text}, qr/TLS session ticket:/, 'no tickets');
is($client->curl('https://three.test/')->{code}, 0, 'a host that asks for a certificate');
$httpd->set_config($listen . $hosts);
restarts('a restart without them');
is_deeply(work_done($httpd->new_log), [2, 1, 2, 0], '... two hosts again');
ok($client->s_client('one.test', args => ['-tls1_3'])->{connected}, 'TLS 1.3');
ok($client->s_client('one.test', args => ['-tls1_2', '-groups', 'X25519:P-256'])->{connected}, 'other groups');
ok($client->s_client('nobody.test')->{connected}, 'unknown names');
like($client->s_client('one.test', args => ['-tls1_2'], input => "GET / HTTP/1.0\r\nHost: one.test\r\n\r\n")->{text}, qr/TLS session ticket:/, 'tickets');
is($client->curl('https://three.test/', args => ['-k'])->{code}, 200, 'the third host is an unknown name');

# ---- any other error ends httpd, told ----

my $pid = $httpd->pid;
$httpd->set_config("${listen}SSLCipherSuite NONSENSE\n" . $hosts);
$httpd->write_config;
$httpd->mark;
kill 'USR1', $pid;
like($httpd->wait_for_log(qr/(SL|AH)\d+: .*NONSENSE.*/, 20) ? $httpd->new_log : '', qr/\[ssl:emerg\] .*AH01898: \S+httpd\.conf:\d+: SSLCipherSuite: .*no usable cipher suite in 'NONSENSE'/,
    'a graceful restart with an error tells it');
ok($httpd->wait_for_log(qr/AH00020: Configuration Failed, exiting/, 20), '... and httpd gives up');
ok(wait_until(sub { waitpid($pid, 1) == $pid || !kill 0, $pid }, 20 * slow()), '... and ends');
delete @$httpd{qw(pid child)};
is(join("\n", $httpd->crashes), '', 'nothing crashed on the way');

# ---- and mod_ssl ----

parity(
    name     => 'a setting that is global',
    config   => "${listen}SSLVHostSNIPolicy insecure\n" . vhost('one.test', $pair{one}{full}, $pair{one}{key})
        . vhost('two.test', $pair{two}{full}, $pair{two}{key}, "SSLVerifyClient optional\nSSLCACertificateFile \"$ca\"\n"),
    requests => [
        { name => 'while it is set', run => sub { return { code => $_[0]->curl('https://one.test/', args => ['-H', 'Host: two.test'])->{code} } } },
        {
            name => 'after it was removed',
            run  => sub {
                my ($c, $h) = @_;
                $h->set_config($h->{text} =~ s/^SSLVHostSNIPolicy insecure\n//mr);
                return { restarted => $h->restart, code => $c->curl('https://one.test/', args => ['-H', 'Host: two.test'])->{code} };
            }
        },
    ],
    differs => { 'after it was removed' => { row => 'global settings', restarted => 1, code => 421 } },
) unless $ENV{SL_SAN};
done_testing;
