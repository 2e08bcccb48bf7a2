# Under load for SL_SOAK_SECONDS (120), with graceful restarts and clients that hang up, every request is answered, no
# child crashes and no process grows.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Time::HiRes qw(time);
use SL::Certs;
use SL::Client;
use SL::Command qw(run slurp);
use SL::Httpd;

my $seconds = $ENV{SL_SOAK_SECONDS} || 120;
my $certs   = SL::Certs->new;
my $ecdsa   = $certs->server('one.test', type => 'ecdsa');
my $rsa     = $certs->server('one.test', type => 'rsa');
my $httpd   = SL::Httpd->new(modules => ['http2'], mpm_settings => <<'CONF', config => <<"CONF");
StartServers 2
ServerLimit 4
ThreadsPerChild 16
MaxRequestWorkers 64
MinSpareThreads 16
MaxSpareThreads 64
CONF
Listen 127.0.0.1:\${port_https}
Protocols h2 http/1.1
KeepAliveTimeout 2
LogLevel warn
<VirtualHost *:\${port_https}>
    ServerName one.test
    SSLEngine on
    SSLCertificateFile "$ecdsa->{cert}"
    SSLCertificateKeyFile "$ecdsa->{key}"
    SSLCertificateFile "$rsa->{cert}"
    SSLCertificateKeyFile "$rsa->{key}"
</VirtualHost>
CONF
$httpd->file('docs/page', 'x' x 20000);
$httpd->start_ok or BAIL_OUT('httpd does not start');
my $client = SL::Client->new(port => $httpd->port('https'));
my $url    = 'https://127.0.0.1:' . $httpd->port('https') . '/page';

# Resident memory of all children, in MB per child.
sub megabytes {
    my @sizes = map { slurp("/proc/$_/status") =~ /^VmRSS:\s+(\d+)/m ? $1 / 1024 : () } $httpd->children;
    my $sum = 0;
    $sum += $_ for @sizes;
    return @sizes ? $sum / @sizes : 0;
}

my ($began, $rounds, $failed, $done, $early, $restarts, $lost) = (time, 0, 0, 0, 0, 0, 0);
while (time - $began < $seconds) {
    for my $how (['--h1', '-c10', '-n2000'], ['-c5', '-m10', '-n2000'], ['--h1', '-c20', '-n20']) {
        my $r = run(['h2load', @$how, '-t1', $url], timeout => 60);
        $done   += $1 if $r->{out} =~ /(\d+) succeeded/;
        $failed += $1 if $r->{out} =~ /(\d+) failed/;
        $lost++ if $r->{status} || $r->{timed_out};
    }
    for my $kind (1 .. 20) {    # hello cut short, garbage, plain HTTP, a reset
        my $raw = $client->raw;
        $raw->send($kind % 4 == 0 ? "\x16\x03\x01\x02\x00\x01\x00\x01\xfc" : $kind % 4 == 1 ? "\0\1\2\3" x 10 : "GET / HTTP/1.0\r\n\r\n");
        $kind % 2 ? $raw->reset : $raw->close;
    }
    $rounds++;
    $early = megabytes() if $rounds == 3;
    $restarts += $httpd->restart if $rounds % 5 == 0;
}
my $late = megabytes();
cmp_ok($done, '>', 1000, "$done requests were answered in $rounds rounds");
is($failed, 0, 'none failed');
is($lost,   0, 'no load was cut short');
cmp_ok($late, '<', $early * 1.3 + 5, sprintf 'a child has %.1f MB, early it had %.1f', $late, $early);
note("$restarts graceful restarts");
$httpd->stop;
done_testing;
