# Names of a SecureLayerCertificateDirectory get stapled OCSP answers like other hosts: those in use, for each key type,
# followed when they are renewed, kept over restarts.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use File::Path qw(make_path);
use Test::More;
use SL::Certs;
use SL::Client;
use SL::Command qw(slow slurp spew wait_until);
use SL::Httpd;
use SL::Responder;

plan skip_all => 'with one process there is a keeper too, but no time to wait for it' if ($ENV{SL_SAN} || '') eq 'tsan';

my $certs     = SL::Certs->new;
my $responder = SL::Responder->new(certs => $certs, ca => 'ca');
my $ca        = $certs->ca('ca');
my $aia       = 'authorityInfoAccess=OCSP;URI:' . $responder->url . "\n";
my $must      = "tlsfeature=status_request\n";
sub made { my ($name, $tag, %o) = @_; return $certs->server($name, type => 'ecdsa', tag => "dirstaple-$tag", extensions => $aia, %o) }

my $httpd = SL::Httpd->new;
my $dir   = $httpd->root . '/work/tls';
my $quiet = $httpd->root . '/work/quiet';
make_path($dir, $quiet);
chmod 0700, $dir;    # the courier can't look into it

sub put {
    my ($file, $pair, %o) = @_;
    my $path = ($o{in} || $dir) . "/$file";
    spew("$path.new", slurp($pair->{both}) . ($o{alone} ? '' : slurp($ca)), 0600);
    rename "$path.new", $path or die "$path: $!";
    return;
}
put('good.test.pem',      made('good.test', 'one'));
put('good.test.pem.rsa',  made('good.test', 'rsa', type => 'rsa'));
put('revoked.test.pem',   made('revoked.test', 'one', revoked => 1));
put('_.wild.test.pem',    made('*.wild.test', 'one'));
put('unasked.test.pem',   made('unasked.test', 'one'));
put('silent.test.pem',    made('silent.test', 'one', extensions => ''));
put('must.test.pem',      made('must.test', 'one', extensions => $must));
put('alone.test.pem',     made('alone.test', 'one'), alone => 1);
put('must.test.pem',      made('must.test', 'quiet', extensions => $must), in => $quiet);

sub host {
    my ($port, $where, $more) = @_;
    return "Listen 127.0.0.1:\${port_$port}\n<VirtualHost *:\${port_$port}>\n    ServerName own.test\n    SSLEngine on\n"
        . "    SecureLayerCertificateDirectory \"$where\"\n    $more\n</VirtualHost>\n";
}
$httpd->config("LogLevel ssl:debug\nSSLStaplingErrorCacheTimeout 1\n"
    . host('https', $dir, 'SSLUseStapling on') . host('off', $dir, 'SSLUseStapling off') . host('quiet', $quiet, ''));
$httpd->start_ok or BAIL_OUT('httpd does not start');
my %client = map { $_ => SL::Client->new(port => $httpd->port($_), cacert => $ca) } qw(https off quiet);

# What is stapled: "good", "revoked", or nothing; undef if there is no connection.
sub stapled {
    my ($host, $port, @args) = @_;
    my $r = $client{ $port || 'https' }->s_client($host, args => ['-status', @args]);
    return undef unless $r->{connected};
    return "$r->{out}$r->{text}" =~ /Cert Status: (\w+)/ ? $1 : '';
}
sub comes {
    my ($host, $what, $claim, @args) = @_;
    my $last;
    ok(wait_until(sub { ($last = stapled($host, 'https', @args)) eq $what }, 20 * slow()), $claim) or diag("last: $last\n", $httpd->new_log);
    return;
}
my @rsa = ('-sigalgs', 'RSA-PSS+SHA256:RSA+SHA256');

# Who gets what
is(stapled('good.test'), '', 'the first handshake does not wait for an answer');
ok($httpd->awaited_helper('courier'), 'the courier runs, though no host names a certificate');
comes('good.test', 'good', '... a later one has it');
comes('good.test', 'good', '... with the other key type too', @rsa);
is(stapled('good.test', 'https', '-tls1_2'), 'good', '... with TLS 1.2 as well');
is(stapled('good.test', 'off'), '', 'a host without SSLUseStapling staples nothing of the same directory');
comes('revoked.test', 'revoked', 'a revoked certificate: its clients are told');
ok($httpd->wait_for_log(qr/SL0143: the certificate \S*revoked\.test\.pem is revoked/), '... and its owner');
comes('x.wild.test', 'good', 'one for all names below');
is($client{https}->curl('https://y.wild.test/', args => ['--cert-status'])->{status}, 0, 'curl --cert-status takes it');
is(stapled($_), '', "$_: nothing") for qw(silent.test must.test alone.test);
is($responder->asked, 4, 'each certificate that is in use is asked about once, others are not');

# What is told of
like($httpd->error_log, qr/SL0178: the certificate \S*tls\/must\.test\.pem: it is only good with a stapled OCSP answer \(must-staple\), but names no responder/, 'a must-staple certificate without a responder is told of');
like($httpd->error_log, qr/SL0178: the certificate \S*alone\.test\.pem: nothing is stapled, as the certificate of its issuer is not there/, 'one without its issuer too');
unlike($httpd->error_log, qr/SL0178: \S+ \S+ \S*(?:silent|good)\.test/, '... others are not');
stapled('must.test', 'quiet');
ok($httpd->wait_for_log(qr/SL0178: the certificate \S*quiet\/must\.test\.pem: it is only good with a stapled OCSP answer \(must-staple\), but nothing is stapled: set SSLUseStapling on/), 'a must-staple certificate without SSLUseStapling');

# Changes
put('good.test.pem', made('good.test', 'two'));
ok(wait_until(sub { stapled('good.test'); $responder->asked == 5 }, 20 * slow()), 'a renewed certificate is asked about');
comes('good.test', 'good', '... and gets its own answer');
is(stapled('good.test', 'https', @rsa), 'good', '... the other key type keeps its own');

# Restarts
$responder->stop;
ok($httpd->restart, 'a graceful restart with the responder down');
comes('good.test', 'good', 'what was fetched is kept in files');
comes('good.test', 'good', '... for either key type', @rsa);

# A responder that is down is asked about one of its certificates only
put("down$_.test.pem", made("down$_.test", 'one')) for 1, 2;
$httpd->mark;
stapled('down1.test');
ok($httpd->wait_for_log(qr/SL0142: OCSP stapling for \S*down1\.test\.pem/, 20 * slow()), 'a responder that is down: the log tells');
stapled('down2.test');
ok(wait_until(sub { (() = $httpd->new_log =~ /SL0142: OCSP stapling for \S*down1\.test/g) >= 4 }, 20 * slow()), '... and it is tried again');
unlike($httpd->new_log, qr/SL0142: OCSP stapling for \S*down2\.test/, '... but not for each of its certificates');
$responder->go_on;
comes('down1.test', 'good', 'once it is there again, so are its answers');
comes('down2.test', 'good', '... all of them');

# The courier
my $pid = $httpd->awaited_helper('courier');
kill 'KILL', $pid;
ok(wait_until(sub { my $new = $httpd->helper('courier'); $new && $new != $pid }, 20 * slow()), 'killed, it is started again');
is(stapled('good.test'), 'good', '... and what it had fetched is still stapled');
$httpd->stop;
done_testing;
