# Keys with a pass phrase that change on disk are served without a restart if a phrase that was given at the start opens
# them, and nobody is asked again; others are refused and the one before serves on. The phrases are in no memory but that of
# parent and keeper, and in no core dump.
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

plan skip_all => 'with one process there is a keeper too, but no time to wait for it' if ($ENV{SL_SAN} || '') eq 'tsan';

my $certs  = SL::Certs->new;
my @pair   = map { $certs->server('one.test', type => 'ecdsa', tag => "sealed-$_") } 0 .. 4;
my $phrase = 'open sesame ' . join '', map { chr 97 + int rand 26 } 1 .. 12;
my $httpd  = SL::Httpd->new;
my $dir    = $httpd->root . '/work';

sub put_file { my ($path, $text) = @_; spew("$path.new", $text, 0600); rename "$path.new", $path or die "$path: $!" }
sub install {
    my ($pair, $with) = @_;
    put_file("$dir/one.key", slurp($certs->encrypted_key($pair->{key}, $with)));
    put_file("$dir/one.crt", slurp($pair->{full}) . slurp($certs->ca('ca')));    # whose issuer is known: there is a courier
    return;
}
install($pair[0], $phrase);
spew("$dir/secret", "$phrase\n", 0600);
spew("$dir/ask", "#!/bin/sh\necho asked >>$dir/asked\ncat $dir/secret\n", 0700);

$httpd->config("SSLPassPhraseDialog exec:$dir/ask\nListen 127.0.0.1:\${port_https}\n<VirtualHost *:\${port_https}>\n ServerName one.test\n SSLEngine on\n"
        . " SSLCertificateFile $dir/one.crt\n SSLCertificateKeyFile $dir/one.key\n SSLUseStapling on\n SSLStaplingForceURL http://127.0.0.1:9/\n</VirtualHost>\n");
$httpd->start_ok or BAIL_OUT('httpd does not start');
my $client = SL::Client->new(port => $httpd->port('https'));

sub first_pem { my ($text) = @_; return $text =~ /(-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----)/s ? $1 : 'none' }
sub served    { return first_pem($client->s_client('one.test')->{text}) }
sub serves    { my ($pair, $name) = @_; local $Test::Builder::Level = $Test::Builder::Level + 1; return is(served(), first_pem(slurp($pair->{cert})), $name) }
sub takes {
    my ($pair, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $want = first_pem(slurp($pair->{cert}));
    return ok(wait_until(sub { served() eq $want }, 20 * slow()), $name) || diag $httpd->new_log;
}

serves($pair[0], 'a sealed key');
install($pair[1], $phrase);
takes($pair[1], 'another one, sealed with the same phrase, is served');
$httpd->mark;
install($pair[2], 'another phrase');
ok($httpd->wait_for_log(qr/SL0152: the certificate \S+one\.crt was changed, but [^\n]*one\.key: it is encrypted, and no pass phrase that was given at the start opens it\. Restart httpd/, 15),
    'sealed with another one: refused, and why') or diag $httpd->new_log;
serves($pair[1], '... the one before serves on');
install($pair[3], $phrase);
takes($pair[3], 'the right phrase again');
my $keeper = $httpd->awaited_helper('keeper');
kill 'KILL', $keeper;
ok(wait_until(sub { my $new = $httpd->helper('keeper'); $new && $new != $keeper }, 20 * slow()), 'the keeper is killed, and there is another');
install($pair[4], $phrase);
takes($pair[4], '... which knows the phrase, too');
ok($httpd->restart, 'a graceful restart');
serves($pair[4], '... keeps the newest');
install($pair[0], $phrase);
takes($pair[0], '... and the phrase is known after it');
is(scalar(() = slurp("$dir/asked") =~ /asked/g), 2, 'the program was asked at the start, and at the restart for the key that had changed');

SKIP: {
    skip 'needs root to look into memory', 4 if $>;
    skip 'a sanitizer keeps what was freed', 4 if $ENV{SL_SAN};
    my $courier  = $httpd->awaited_helper('courier');
    my @children = $httpd->children;
    is_deeply(SL::Memory::find($courier, $phrase), [0, 0], 'the phrase is not in the memory of the courier');
    my @with = grep { my $found = SL::Memory::find($_, $phrase); $found->[0] + $found->[1] } @children;
    ok(@children && !@with, '... nor in that of a child');
    is_deeply(SL::Memory::find($httpd->helper('keeper'), $phrase), [0, 1], '... but once in that of the keeper, out of core dumps');
    is_deeply(SL::Memory::find($httpd->pid, $phrase), [0, 1], '... and in the parent likewise');
}
$httpd->stop;
done_testing;
