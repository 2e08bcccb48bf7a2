# Hosts by the dozen: each shows its own certificate, though a child keeps few of them ready and the start has read them by
# several threads; a restart reads those alone that have changed; what is wrong with all of them is told of a hundred.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Certs;
use SL::Client;
use SL::Command qw(run slurp spew);
use SL::Httpd;

my $count = 120;
my $certs = SL::Certs->new;
# Some are not ordinary, and read by the way that knows all forms.
my @kinds = ('ecdsa', 'ecdsa', 'ecdsa', 'ecdsa', 'rsa', 'ed25519');
my @hosts = map { { name => "h$_.test", cert => $certs->server($_ < 24 ? "h$_.test" : 'many.test', $_ < 24 ? (type => $kinds[$_ % @kinds]) :
    (type => 'ecdsa', names => [map {"h$_.test"} 24 .. $count - 1])) } } 0 .. $count - 1;

my $httpd = SL::Httpd->new(modules => ['headers'], name => 'httpd with many hosts');
my $root = $httpd->root;
my $work = "$root/certs";
mkdir "$root/v1" or die $!;
symlink "$root/v1", $work or die $!;
for my $n (0 .. $#hosts) {
    my $host = $hosts[$n];
    $host->{full} = spew("$work/$n.pem", slurp($host->{cert}{full}));
    $host->{key}  = spew("$work/$n.key", slurp($host->{cert}{key}));
    chmod 0644, $host->{key};
}
$httpd->file('docs/index.html', 'page');
$httpd->config(join '', "Listen 127.0.0.1:\${port_https}\nSecureLayerIdentityCache 5\nLogLevel ssl:info\n",
    map {"<VirtualHost *:\${port_https}>\nServerName $_->{name}\nSSLEngine on\nSSLCertificateFile $_->{full}\nSSLCertificateKeyFile $_->{key}\n"
        . "Header set X-Host $_->{name}\n</VirtualHost>\n"} @hosts);
my $tested = $httpd->configtest;
is($tested->{status}, 0, 'httpd -t is content');
is(scalar(() = $tested->{err} =~ /private key can be read by everybody/g), $count, '... and warns of each key that everybody can read');
$httpd->start_ok or BAIL_OUT('httpd does not start');

my $log = $httpd->error_log;
is(scalar(() = $log =~ /: the private key can be read by everybody on this machine\./g), 100, 'the log has a hundred of these warnings');
like($log, qr/SL0008: @{[$count - 100]} more lines like these were left out, httpd -t shows them all: the private key can be read by everybody/, '... and how many more there are');

my $client = SL::Client->new(port => $httpd->port('https'));
sub served {
    my ($host) = @_;
    my $got = $client->curl("https://$host->{name}/");
    return ($got->{code} // 0) == 200 && ($got->{headers}{'x-host'} // '') eq $host->{name};
}
# By whatever path they were read: curl verifies name and chain.
is(join(' ', map { $_->{name} } grep { !served($_) } @hosts), '', 'every host is served with a certificate of its name');
is(join(' ', map { $_->{name} } grep { !served($_) } @hosts[map { 7 * $_ % $count } 0 .. 39]), '', '... in any order, though few are kept ready');
my ($sni) = map { $client->s_client($_->{name}) } $hosts[5];
like($sni->{subject} // '', qr/h5\.test/, 'one that was not read the quick way shows its own certificate');

SKIP: {
    skip 'a server of one process has no graceful restart', 5 if $httpd->{single};
    ok($httpd->restart, 'a graceful restart');
    like($httpd->new_log, qr/SL0005: $count virtual hosts speak TLS, with 1 different settings and $count certificates \(0 of them read/, '... reads no file anew');
    my $new = $certs->server('h3.test', type => 'ecdsa', names => ['h3.test', 'new.test']);
    spew($hosts[3]{full}, slurp($new->{full}));
    spew($hosts[3]{key}, slurp($new->{key}));
    $httpd->wait_for_log(qr/SL0150: the certificate \Q$hosts[3]{full}\E/);
    ok($httpd->restart, 'another one, after one certificate was changed');
    like($httpd->new_log, qr/$count certificates \(1 of them read/, '... reads that one');
    ok(served($hosts[3]), '... which is served');
}

# All of them are reached through a link, which is led elsewhere.
mkdir "$root/v2" or die $!;
for my $file (glob "$root/v1/*") { spew($file =~ s/v1/v2/r, slurp($file)) }
my $moved = $certs->server('h90.test', type => 'ecdsa', names => ['h90.test', 'moved.test']);
spew("$root/v2/90.pem", slurp($moved->{full}));
spew("$root/v2/90.key", slurp($moved->{key}));
$httpd->mark;
symlink "$root/v2", "$root/next" or die $!;
rename "$root/next", $work or die $!;
$httpd->wait_for_log(qr/SL0150: the certificate \Q$hosts[90]{full}\E/);
like(run(['openssl', 'x509', '-noout', '-text'], stdin => $client->s_client('h90.test')->{text})->{out}, qr/moved\.test/,
    'one behind a link that was led elsewhere is taken');
is(scalar(() = $httpd->new_log =~ /SL0150/g), 1, '... and no other, for they say what they said');
is(join(' ', map { $_->{name} } grep { !served($_) } @hosts[80 .. 119]), '', '... and all are served');
$httpd->stop;
done_testing;
