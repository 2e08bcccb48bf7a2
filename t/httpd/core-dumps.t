# Core dumps hold no key that the process has not used: neither keys of the start nor newer ones, in a child, in the keeper
# and in the parent. The keeper, which reads them, has no socket to send them through.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Certs;
use SL::Client;
use SL::Command qw(run slow slurp spew wait_until);
use SL::Httpd;
use SL::Memory;

plan skip_all => 'needs root to look into memory' if $>;
plan skip_all => 'a sanitizer keeps what was freed' if $ENV{SL_SAN};

my $certs = SL::Certs->new;
my %pair  = map { my $type = $_; map { ("$type-$_" => $certs->server("$_.test", type => $type, tag => "core-$type")) } qw(used idle newer) } qw(ecdsa rsa ed25519);
my $httpd = SL::Httpd->new(mpm_settings => "StartServers 1\nServerLimit 1\nThreadsPerChild 8\nMaxRequestWorkers 8\n");
my $dir   = $httpd->root . '/work';
sub put_file { my ($path, $text) = @_; spew("$path.new", $text, 0600); rename "$path.new", $path or die "$path: $!" }

# The number that makes a key private, as a file has it and as OpenSSL's arithmetic has it.
sub secret {
    my ($name) = @_;
    my $text = run(['openssl', 'pkey', '-in', $pair{$name}{key}, '-noout', '-text'])->{out};
    my ($hex) = $text =~ /^(?:prime1|priv):\s*\n((?:\s+[0-9a-f:]+\n)+)/m or die "no secret in $name";
    my $bytes = pack 'H*', $hex =~ s/[^0-9a-f]//gr;
    $bytes =~ s/\A\0+//;
    return ($bytes, scalar reverse $bytes);
}
sub count {
    my ($pid, $name) = @_;
    my @sum = (0, 0);
    for my $secret (secret($name)) { my $found = SL::Memory::find($pid, $secret); $sum[$_] += $found->[$_] for 0, 1 }
    return \@sum;
}

my $config = "Listen 127.0.0.1:\${port_https}\n";
for my $type (qw(ecdsa rsa ed25519)) {
    for my $which (qw(used idle changed)) {
        my $from = $pair{ "$type-" . ($which eq 'changed' ? 'used' : $which) };
        put_file("$dir/$type-$which.key", slurp($from->{key}));
        put_file("$dir/$type-$which.crt", slurp($from->{full}));
        $config .= "<VirtualHost *:\${port_https}>\nServerName $type-$which.test\nSSLEngine on\nSSLCertificateFile $dir/$type-$which.crt\nSSLCertificateKeyFile $dir/$type-$which.key\n</VirtualHost>\n";
    }
}
$httpd->config($config);
$httpd->start_ok or BAIL_OUT('httpd does not start');
my $client = SL::Client->new(port => $httpd->port('https'));
for my $type (qw(ecdsa rsa ed25519)) {
    put_file("$dir/$type-changed.key", slurp($pair{"$type-newer"}{key}));
    put_file("$dir/$type-changed.crt", slurp($pair{"$type-newer"}{full}));
    ok($client->s_client("$type-used.test")->{connected}, "$type: a key is used");
}
ok($httpd->wait_for_log(qr/SL0150: the certificate \S+\/$_-changed\.crt/), "$_: another one is on the board") || diag $httpd->new_log for qw(ecdsa rsa ed25519);

my $child = $httpd->serving_child;
my %process = (child => $child, parent => $httpd->pid, keeper => $httpd->awaited_helper('keeper'));
for my $type (qw(ecdsa rsa ed25519)) {
    cmp_ok(count($child, "$type-used")->[0], '>', 0, "$type: the key that the child used would be found in its dump: the search finds keys") if $type ne 'rsa';
    for my $name (sort keys %process) {
        my $idle = count($process{$name}, "$type-idle");
        is($idle->[0], 0, "$type: one that it has not used would not be in the dump of the $name");
        cmp_ok($idle->[1], '>', 0, '... though it is there') if $name ne 'keeper';
        is(count($process{$name}, "$type-newer")->[0], 0, '... nor would one that came later') if $name ne 'keeper';
    }
}
is_deeply([grep {/^socket:/} map { readlink // '' } glob "/proc/$process{keeper}/fd/*"], [], 'the keeper has no socket');
$httpd->stop;
done_testing;
