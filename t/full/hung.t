# A keeper that hangs is killed after ten minutes and another one takes its place, which takes what has changed meanwhile;
# the courier, which does not hang, stays. Takes as long as it says, and next to nothing of the processor.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Time::HiRes qw(time);
use SL::Certs;
use SL::Client;
use SL::Command qw(slow slurp spew wait_until);
use SL::Httpd;

my $certs = SL::Certs->new;
my @pair  = map { $certs->server('one.test', type => 'ecdsa', issuer => 'intermediate', tag => "hung-$_") } 0, 1;
my $httpd = SL::Httpd->new(modules => ['socache_shmcb']);
my ($cert, $key) = map { $httpd->root . "/work/one.$_" } qw(crt key);

sub put {
    my ($pair) = @_;
    for ([$key, $pair->{key}], [$cert, $pair->{full}]) {
        my ($path, $from) = @$_;
        spew("$path.new", slurp($from), 0600);
        rename "$path.new", $path or die "$path: $!";
    }
    return;
}
put($pair[0]);
$httpd->config(<<"CONF");
Listen 127.0.0.1:\${port_https}
SSLStaplingCache shmcb:\${root}/logs/staples(64000)
<VirtualHost *:\${port_https}>
    ServerName one.test
    SSLEngine on
    SSLCertificateFile "$cert"
    SSLCertificateKeyFile "$key"
    SSLUseStapling on
    SSLStaplingForceURL http://127.0.0.1:\${port_nobody}/
</VirtualHost>
CONF
$httpd->start_ok or BAIL_OUT('httpd does not start');
my $client = SL::Client->new(port => $httpd->port('https'));
my %text   = map { $_ => slurp($pair[$_]{cert}) =~ /(-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----)/s ? $1 : 'none' } 0, 1;
sub serves { my ($n) = @_; return index($client->s_client('one.test')->{text}, $text{$n}) >= 0 }

ok(serves(0), 'the certificate of the start is served');
my ($keeper, $courier);
wait_until(sub { ($keeper, $courier) = map { $httpd->helper($_) } qw(keeper courier); $keeper && $courier }, 20 * slow())
    or BAIL_OUT('keeper and courier are not there');
my $begun = time;
kill 'STOP', $keeper;
put($pair[1]);
my $told = $httpd->wait_for_log(qr/SL0200: the process sl-keeper \($keeper\) gave no sign of life for 10 minutes and was killed/, 660);
my $took = time - $begun;
ok($told, 'a keeper that hangs is killed, and the log says so');
cmp_ok($took, '>=', 585, sprintf '... after ten minutes, not before (%d s)', $took);
ok($httpd->wait_for_log(qr/SL0132: the process sl-keeper \($keeper\) ended/, 20), '... it ends');
ok(wait_until(sub { ($httpd->helper('keeper') // $keeper) != $keeper }, 20 * slow()), '... and there is another one');
ok(wait_until(sub { serves(1) }, 20 * slow()), '... which takes the certificate that was renewed meanwhile');
is($httpd->helper('courier'), $courier, 'the courier is the same as before');
unlike($httpd->error_log, qr/SL0200: the process sl-courier/, '... and nothing is said of it');
$httpd->stop;
done_testing;
