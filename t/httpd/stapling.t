# Stapling: answers are fetched beside the handshakes, believed before they are served, and kept over restarts.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Certs;
use SL::Client;
use SL::Command qw(run slurp wait_until slow);
use SL::Httpd;
use SL::Responder;

my $certs     = SL::Certs->new;
my $responder = SL::Responder->new(certs => $certs, ca => 'ca');
my $ca        = $certs->ca('ca');
my $aia       = 'authorityInfoAccess=OCSP;URI:' . $responder->url . "\n";
my $must      = "tlsfeature=status_request\n";
my %cert      = (
    good    => $certs->server('good.test',    type => 'ecdsa', extensions => $aia),
    revoked => $certs->server('revoked.test', type => 'ecdsa', extensions => $aia, revoked => 1),
    other   => $certs->server('other.test',   type => 'ecdsa', extensions => $aia),
    quiet   => $certs->server('quiet.test',   type => 'ecdsa'),
    must    => $certs->server('must.test',    type => 'ecdsa', extensions => $must),
);

sub host {
    my ($name, $cert, $more) = @_;
    return <<"CONF";
<VirtualHost *:\${port_https}>
    ServerName $name
    SSLEngine on
    SSLCertificateFile "$cert->{cert}"
    SSLCertificateKeyFile "$cert->{key}"
    SSLCACertificateFile "$ca"
    $more
</VirtualHost>
CONF
}

my $httpd = SL::Httpd->new(modules => ['socache_shmcb']);
my $base  = "Listen 127.0.0.1:\${port_https}\nLogLevel ssl:debug\nSSLStaplingErrorCacheTimeout 1\n";
my $all   = $base . "SSLStaplingCache shmcb:\${root}/run/staples(65536)\n"
    . host('good.test', $cert{good}, 'SSLUseStapling on')
    . host('twin.test', $cert{good}, 'SSLUseStapling on')
    . host('off.test', $cert{good}, 'SSLUseStapling off')
    . host('revoked.test', $cert{revoked}, 'SSLUseStapling on')
    . host('quiet.test', $cert{quiet}, 'SSLUseStapling on')
    . host('must.test', $cert{must}, 'SSLUseStapling on')
    . host('quiet-twin.test', $cert{quiet}, 'SSLUseStapling on') # shares what is not kept (seen under a sanitizer)
    . host('must-twin.test', $cert{must}, 'SSLUseStapling on');
$httpd->config($all);

my $client = SL::Client->new(port => $httpd->port('https'), cacert => $ca);

# What is stapled: "good", "revoked", the status of an error, or nothing; undef if there is no connection.
sub stapled {
    my ($host, @args) = @_;
    my $r = $client->s_client($host, args => ['-status', @args]);
    return undef unless $r->{connected};
    my $text = "$r->{out}$r->{text}";
    return $1 if $text =~ /OCSP Response Status: (?!successful)(\w+)/;
    return $text =~ /Cert Status: (\w+)/ ? $1 : '';
}

sub comes {
    my ($host, $what, $claim) = @_;
    my $last;
    ok(wait_until(sub { ($last = stapled($host)) eq $what }, 20 * slow()), $claim) or diag("last: $last");
    return;
}

# Who gets what
$httpd->start_ok or BAIL_OUT('httpd does not start');
comes('good.test', 'good', 'a good certificate: the answer is stapled');
is(stapled('good.test', '-tls1_2'), 'good', '... with TLS 1.2 as well');
is(stapled('twin.test'), 'good', 'a host with the same certificate staples the same answer');
is(stapled('off.test'), '', 'a host without SSLUseStapling staples nothing');
comes('revoked.test', 'revoked', 'a revoked certificate: its clients are told');
like($httpd->error_log, qr/SL0143: the certificate \S*revoked\.test\S* is revoked/, '... and its owner');
is(stapled('quiet.test'), '', 'a certificate without a responder: nothing');
unlike($httpd->error_log, qr/quiet\.test\S*: .*(?:stapl|OCSP)/i, '... and not a word about it');
like($httpd->error_log, qr/SSLUseStapling: \S*must\.test\S*: .*must-staple.*names no responder/,
    'a must-staple certificate without a responder is told about');
is($responder->asked, 2, 'each certificate is asked about once');
my $gnutls = $client->gnutls('good.test');
ok($gnutls->{connected}, 'GnuTLS takes the stapled answer');
my $curl = $client->curl('https://good.test/', args => ['--cert-status']);
is($curl->{code}, 200, 'curl --cert-status takes it') or diag($curl->{err});

# Restarts
$responder->stop;
my @files = glob $httpd->root . '/run/securelayer/*.ocsp';
rename $_, "$_.away" or die $! for @files;
$httpd->restart(graceful => 1);
is(stapled('good.test'), 'good', 'after a graceful restart the answer is there from the start, with the responder down');
rename "$_.away", $_ or die $! for @files;
$httpd->stop;
ok(-d $httpd->root . '/run/securelayer', 'answers are kept below the run-time directory');
$httpd->start_ok;
is(stapled('good.test'), 'good', '... and after a stop and a start as well');
for my $file (glob $httpd->root . '/run/securelayer/*.ocsp') { open my $f, '+<', $file or die; seek $f, 200, 0; print $f 'XXXX' }
$httpd->stop;
$httpd->start_ok;
is(stapled('good.test'), '', 'a file that was changed is not believed');

# The courier
sub courier { return $httpd->helper('courier') // 0 }
$responder->go_on;
comes('good.test', 'good', 'once the responder is there again, so is its answer');
my $pid = courier();
ok($pid, 'the courier runs');
isnt((stat "/proc/$pid")[4], 0, '... and not as root') if $pid && !$>;
kill 'KILL', $pid if $pid;
ok(wait_until(sub { my $new = courier(); $new && $new != $pid }, 20 * slow()), 'killed, it is started again');
is(stapled('good.test'), 'good', '... and what it had fetched is still stapled');

# The directive is taken away
$httpd->set_config($all =~ s/SSLUseStapling on//gr);
ok($httpd->restart, 'a graceful restart without SSLUseStapling');
is(stapled('good.test'), '', '... nothing is stapled any more');
ok(wait_until(sub { !courier() }, 20 * slow()), '... and there is no courier');
$httpd->set_config($all);
ok($httpd->restart, 'a graceful restart with it');
comes('good.test', 'good', '... what was kept is stapled again');
$httpd->stop;

# Responders that are slow or lie
$httpd->set_config($base . "SSLUseStapling on\nSSLStaplingResponderTimeout 30\nSecureLayerStateDirectory \"\${work}/state\"\n"
    . host('good.test', $cert{good}, '') . host('other.test', $cert{other}, ''));
my $before = $responder->asked;
$responder->mode('silent');
$httpd->mark->start_ok;
ok(wait_until(sub { $responder->asked > $before }, 20 * slow()), 'the courier has asked, and waits');
is(stapled('good.test'), '', 'a handshake meanwhile does not wait');
is(stapled('other.test'), '', '... none does');
is($responder->asked, $before + 1, '... for the question is still on its way');
$responder->other_is($cert{other}{cert});
for my $case (['badsig', 'signed by nobody who may answer'], ['stranger', 'signed by nobody who may answer'],
    ['other', 'about another certificate'], ['huge', 'sends more than 65536 bytes'], ['redirect', 'is not followed'],
    ['try-later', 'trylater'], ['status-500', 'HTTP status 500'], ['garbage', 'no OCSP answer']) {
    my ($mode, $words) = @$case;
    $httpd->mark;
    $responder->mode($mode);
    ok($httpd->wait_for_log(qr/SL0142: OCSP stapling for \S*good\.test\S*: .*$words/, 20 * slow()), "$mode: the log tells");
    is(stapled('good.test'), '', '... and it is not stapled');
}
$responder->mode('ok');
comes('good.test', 'good', 'an answer to be believed is stapled');
ok(-d $httpd->root . '/work/state', 'SecureLayerStateDirectory is made');
$httpd->stop;

# Fetched again before its end; errors if they are asked for
$responder->mode('no-end');
$httpd->set_config($base . "SSLUseStapling on\nSSLStaplingStandardCacheTimeout 2\nSecureLayerStateDirectory \"\${work}/fresh\"\n"
    . host('good.test', $cert{good}, '') . host('other.test', $cert{other}, 'SSLStaplingReturnResponderErrors on'));
$httpd->start_ok;
comes('good.test', 'good', 'an answer without nextUpdate is stapled for SSLStaplingStandardCacheTimeout');
$before = $responder->asked;
ok(wait_until(sub { $responder->asked > $before + 2 }, 20 * slow()), '... and fetched again before that is over');
$responder->mode('try-later');
comes('good.test', '', 'when it is over, nothing is stapled');
comes('other.test', 'trylater', "... but what the responder said, with SSLStaplingReturnResponderErrors");
$httpd->stop;

# A responder that certificates don't name; one that can't be reached
$responder->mode('ok');
$httpd->set_config($base . "SSLUseStapling on\nSSLStaplingReturnResponderErrors on\nSecureLayerStateDirectory \"\${work}/forced\"\n"
    . host('quiet.test', $cert{quiet}, 'SSLStaplingForceURL ' . $responder->url)
    . host('good.test', $cert{good}, 'SSLStaplingForceURL http://127.0.0.1:' . $httpd->port('nobody') . '/')
    . host('other.test', $cert{other}, 'SSLStaplingFakeTryLater off' . "\n" . 'SSLStaplingForceURL http://127.0.0.1:' . $httpd->port('nobody') . '/'));
$httpd->mark->start_ok;
comes('quiet.test', 'good', 'SSLStaplingForceURL is asked about a certificate that names nobody');
comes('good.test', 'trylater', '... and in the place of the one that a certificate names; while it is down, clients are told to try later');
ok($httpd->wait_for_log(qr/SL0142: OCSP stapling for \S*other\.test/, 20 * slow()), 'with SSLStaplingFakeTryLater off the log tells');
is(stapled('other.test'), '', '... and clients get nothing');
$httpd->stop;

$httpd->set_config($base . "SSLStaplingCache nosuch:x\n" . host('good.test', $cert{good}, ''));
like($httpd->configtest->{err}, qr/SSLStaplingCache: 'nosuch' is no cache provider/, 'SSLStaplingCache: the provider is checked');

done_testing;
