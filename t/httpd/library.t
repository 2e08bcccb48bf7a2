# What the configuration asks of the OpenSSL library as a whole: FIPS mode, engines, seeds; refused where it cannot be had,
# with a line that says why.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Certs;
use SL::Client;
use SL::Command qw(run);
use SL::Httpd;
use SL::Parity;

my $certs = SL::Certs->new;
my $one = $certs->server('one.test', type => 'ecdsa');
sub config {
    my ($lines) = @_;
    return "$lines\nListen 127.0.0.1:\${port_https}\n<VirtualHost *:\${port_https}>\n ServerName one.test\n SSLEngine on\n"
        . " SSLCertificateFile \"$one->{full}\"\n SSLCertificateKeyFile \"$one->{key}\"\n</VirtualHost>\n";
}
sub httpd_with { my ($lines, %o) = @_; my $httpd = SL::Httpd->new(%o); $httpd->config(config($lines)); return $httpd }

# ---- FIPS ----

my $has_fips = grep {-e} glob('/usr/lib/*/ossl-modules/fips.so'), glob('/usr/lib64/ossl-modules/fips.so');
SKIP: {
    skip 'there is a FIPS provider', 4 if $has_fips;
    my $httpd = httpd_with('SSLFIPS on');
    my $r = $httpd->configtest;
    isnt($r->{status}, 0, 'SSLFIPS on without a FIPS provider: httpd -t refuses it');
    like($r->{err}, qr/AH01885: \S+httpd\.conf:\d+: SSLFIPS: there is no FIPS mode: .*FIPS provider.*openssl fipsinstall/, '... and says why');
    unlike($r->{err}, qr/AH02572|SSLCipherSuite/, '... and nothing that follows from it');
    ok(!$httpd->start, '... httpd does not start');
}
{
    my $httpd = httpd_with('SSLFIPS off');
    $httpd->start_ok('SSLFIPS off: httpd starts') or BAIL_OUT('httpd does not start');
    is(SL::Client->new(port => $httpd->port('https'))->curl('https://one.test/')->{code}, 200, '... and serves');
    unlike($httpd->error_log, qr/AH0188[45]/, '... and speaks of no FIPS mode');
    $httpd->stop;
}

# ---- engines ----
SKIP: {
    my $r = httpd_with('SSLCryptoDevice nothing')->configtest;
    isnt($r->{status}, 0, 'an engine that is none: httpd -t refuses it');
    skip 'this OpenSSL has no engines', 2 if $r->{err} =~ /this OpenSSL has no engines/;
    like($r->{err}, qr/SSLCryptoDevice: does not know the engine 'nothing'; there are 'builtin' \(none\), 'dynamic' \(Dynamic engine loading support\)/,
        '... and lists those there are');
    my $httpd = httpd_with('SSLCryptoDevice dynamic');
    $httpd->start_ok('an engine that there is: httpd starts');
    is(SL::Client->new(port => $httpd->port('https'))->curl('https://one.test/')->{code}, 200, '... and serves');
    if (($ENV{SL_SAN} || '') ne 'tsan') {
        $httpd->set_config(config('SSLCryptoDevice builtin'));
        ok($httpd->restart, '... and restarts without it');
        is(SL::Client->new(port => $httpd->port('https'))->curl('https://one.test/')->{code}, 200, '... and serves');
    }
    $httpd->stop;
}

# ---- as mod_ssl ----

parity(name => $_, config => config($_)) for "SSLFIPS on\nSSLFIPS off", "SSLFIPS off\nSSLFIPS on", 'SSLFIPS maybe', 'SSLRandomSeed startup',
    'SSLRandomSeed never builtin', 'SSLRandomSeed startup builtin 5', 'SSLRandomSeed startup file:/dev/urandom -1', 'SSLRandomSeed startup exec:/nothing',
    'SSLRandomSeed startup egd:/nothing', 'SSLRandomSeed startup FILE:/dev/urandom', 'SSLCryptoDevice nothing';
parity(name => $_, config => config($_), requests => [{ name => 'a page', url => 'https://one.test/' }])
    for "SSLRandomSeed startup builtin\nSSLRandomSeed startup file:/dev/urandom 512\nSSLRandomSeed CONNECT BUILTIN\nSSLRandomSeed connect /dev/urandom 8\nSSLRandomSeed connect exec:/bin/true 4",
    'SSLCryptoDevice builtin';
parity(name => 'not in a virtual host', config => "<VirtualHost *:1>\n$_\n</VirtualHost>\n") for 'SSLFIPS off', 'SSLRandomSeed startup builtin', 'SSLCryptoDevice builtin',
    'SSLPassPhraseDialog builtin';
done_testing;
