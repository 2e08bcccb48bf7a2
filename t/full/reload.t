# 1,000 certificates replaced within a second, under load: all of them are served within 5 seconds, and no request fails.
# Then one certificate is replaced again and again, while children and the keeper are killed: nobody ever gets half of one.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use POSIX ();
use Test::More;
use Time::HiRes qw(time);
use SL::Certs;
use SL::Client;
use SL::Command qw(run slow slurp spew wait_until);
use SL::Httpd;
use SL::Load;

my $hosts = 1000;
my $certs = SL::Certs->new;
my @pair  = map { $certs->server('*.many.test', type => 'ecdsa', tag => "many-$_") } 0, 1;
my @text  = map { { crt => slurp($_->{full}), key => slurp($_->{key}) } } @pair;
my $httpd = SL::Httpd->new;
my $dir   = $httpd->root . '/work/many';
mkdir $dir, 0755;

sub put_pair {
    my ($name, $which) = @_;
    for my $kind (qw(key crt)) {
        my $path = "$dir/$name.$kind";
        spew("$path.new", $text[$which]{$kind}, 0600);
        rename "$path.new", $path or die "$path: $!";
    }
    return;
}
put_pair($_, 0) for 1 .. $hosts;
$httpd->config("Listen 127.0.0.1:\${port_https}\n" . join '', map { <<"CONF" } 1 .. $hosts);
<VirtualHost *:\${port_https}>
ServerName h$_.many.test
SSLEngine on
SSLCertificateFile $dir/$_.crt
SSLCertificateKeyFile $dir/$_.key
</VirtualHost>
CONF
$httpd->start_ok or BAIL_OUT('httpd does not start');
my $port   = $httpd->port('https');
my $client = SL::Client->new(port => $port);

sub first_pem { my ($text) = @_; return $text =~ /(-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----)/s ? $1 : 'none' }
my @pem = map { first_pem($_->{crt}) } @text;
sub served { my ($n) = @_; return first_pem($client->s_client("h$n.many.test")->{text}) }

# Clients that ask for one host after the other until they are told to stop; each writes how many requests it made, and
# how many of them failed.
my $stop = $httpd->root . '/work/stop';
sub start_load {
    my ($choose) = @_;
    return map {
        my $number = $_;
        my $pid    = fork // die "fork: $!";
        if (!$pid) {
            my ($made, $failed) = (0, 0);
            while (!-e $stop) {
                my $host = 'h' . $choose->() . '.many.test';
                my $code = $client->curl("https://$host/")->{code} || 0;
                $made++;
                $failed++ if $code != 200 && $code != 404 && $code != 403;
            }
            spew($httpd->root . "/work/load.$number", "$made $failed");
            POSIX::_exit(0);
        }
        $pid;
    } 1 .. 3;
}
sub end_load {
    my (@pids) = @_;
    spew($stop, '');
    waitpid $_, 0 for @pids;
    my @sum = (0, 0);
    for my $number (1 .. @pids) {
        my @one = split ' ', slurp($httpd->root . "/work/load.$number");
        $sum[$_] += $one[$_] for 0, 1;
    }
    unlink $stop;
    return @sum;
}
sub cpu { my ($pid) = @_; my @stat = split ' ', slurp("/proc/$pid/stat") =~ s/^.*\)//sr; return ($stat[11] + $stat[12]) / POSIX::sysconf(&POSIX::_SC_CLK_TCK) }

my $keeper = $httpd->awaited_helper('keeper');
my @load   = start_load(sub { 1 + int rand $hosts });
my $before = cpu($keeper);
$httpd->mark;
my $begun = time;
put_pair($_, 1) for 1 .. $hosts;
my $written = time;
my $count   = sub { my $n = () = $httpd->new_log =~ /SL0150: the certificate/g; return $n };
ok(wait_until(sub { $count->() >= $hosts }, 60 * slow()), "$hosts certificates are taken") or diag $count->();
my $taken = time - $written;
diag sprintf 'written in %.2f s, taken %.2f s after the last one, with %.2f s of the keeper\'s CPU', $written - $begun, $taken, cpu($keeper) - $before;
cmp_ok($taken, '<', 5 * slow(), '... within 5 seconds');
is(scalar(grep { served(1 + int rand $hosts) ne $pem[1] } 1 .. 30), 0, '... and served');
my ($made, $failed) = end_load(@load);
ok($made > 50, 'there was load') or diag $made;
is($failed, 0, "none of $made requests failed");

my $load   = SL::Load->new($client, sub {'h1.many.test'}, cuts => 1);
my $killed = 0;
for my $round (1 .. 10_000 / 100) {
    put_pair(1, $_ % 2) for 1 .. 100;
    my $served = served(1);
    $served eq $pem[0] || $served eq $pem[1] or fail("round $round: neither the one nor the other");
    if ($round % 5 == 0) {
        my @children = $httpd->children;
        $killed += $httpd->kill_child($children[rand @children]);
    }
    kill 'KILL', $httpd->helper('keeper') || () if $round % 40 == 0;
}
put_pair(1, 0);
ok(wait_until(sub { served(1) eq $pem[0] }, 20 * slow()), '10,000 changes: the last one is served in the end');
my $sum = $load->end;
cmp_ok($killed, '>=', 15, "$killed children were killed meanwhile");
is_deeply($sum->{failed}, [], "each of $sum->{requests} requests that was not cut off had a whole certificate");
unlike($httpd->error_log, qr/SL0152/, 'nothing was refused');
$httpd->stop;
done_testing;
