# A certificate that is replaced again and again under load, while children and the keeper are killed: every handshake has a
# whole certificate with its key, and in the end the last one serves. t/full/reload.t does it 10,000 times.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Certs;
use SL::Client;
use SL::Command qw(slow slurp spew wait_until);
use SL::Httpd;
use SL::Load;

plan skip_all => 'with one process there is a keeper too, but no time to wait for it' if ($ENV{SL_SAN} || '') eq 'tsan';

my $certs = SL::Certs->new;
my @pair  = ($certs->server('one.test', type => 'ecdsa', tag => 'load'), $certs->server('one.test', type => 'rsa', issuer => 'intermediate', tag => 'load'));
my $httpd = SL::Httpd->new(mpm_settings => "StartServers 3\nThreadsPerChild 4\nMinSpareThreads 4\nMaxSpareThreads 12\nMaxRequestWorkers 12\n");
my $dir   = $httpd->root . '/work';
sub put_file { my ($path, $text) = @_; spew("$path.new", $text, 0600); rename "$path.new", $path or die "$path: $!" }
# Key and certificate in one file: it is whole at any moment. That halves wait for each other is another test's claim.
sub install { my ($n) = @_; put_file("$dir/one.pem", slurp($pair[$n]{both})); return }
install(0);
$httpd->config("Listen 127.0.0.1:\${port_https}\n<VirtualHost *:\${port_https}>\nServerName one.test\nSSLEngine on\nSSLCertificateFile $dir/one.pem\n</VirtualHost>\n");
$httpd->start_ok or BAIL_OUT('httpd does not start');
my $client = SL::Client->new(port => $httpd->port('https'), cacert => $certs->ca('ca'));
sub first_pem { my ($text) = @_; return $text =~ /(-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----)/s ? $1 : 'none' }
sub served    { return first_pem($client->s_client('one.test')->{text}) }
my @pem = map { first_pem(slurp($_->{cert})) } @pair;
my $taken = sub { my $n = () = $httpd->new_log =~ /SL0150/g; return $n };

$httpd->mark;
my $load = SL::Load->new($client, sub {'one.test'}, cuts => 1);
my ($keepers, $children) = (0, 0);
for my $round (1 .. 40) {
    my $before = $taken->();
    install($round % 2);
    if ($round % 4 == 0) {    # while it is taken
        my @children = $httpd->children;
        $children += $httpd->kill_child($children[rand @children]) if @children;
    }
    if ($round % 15 == 0) {
        my $keeper = $httpd->awaited_helper('keeper');
        $keepers += kill 'KILL', $keeper if $keeper;
    }
    wait_until(sub { $taken->() > $before }, 20 * slow()) or diag "round $round: not taken";
}
my $sum = $load->end;
cmp_ok($children, '>=', 5, "$children children and $keepers keepers were killed on the way");
cmp_ok($sum->{requests}, '>', 50, "there was load: $sum->{requests} requests");
is_deeply($sum->{failed}, [], '... and each that was not cut off had a whole certificate');
cmp_ok($taken->(), '>=', 40, 'each change was taken');
install(1);
ok(wait_until(sub { served() eq $pem[1] }, 20 * slow()), 'the last one serves') or diag $httpd->new_log;
is(scalar(grep { served() ne $pem[1] } 1 .. 20), 0, '... in every child');
unlike($httpd->new_log, qr/SL0152/, 'nothing was refused');
$httpd->stop;
done_testing;
