# Looking in: at trace4 the log counts the bytes of each read and write, at trace7 it shows them, in bounded lines that
# no client can break; below that it says nothing. Keys are written to a file only if a directive asks for it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Certs;
use SL::Client;
use SL::Command qw(slurp spew wait_until);
use SL::Conf qw(tls_host page);
use SL::Httpd;

plan skip_all => 'this is about our module' if ($ENV{SL_TLS} || '') eq 'mod_ssl';

my $cert   = SL::Certs->new->server('one.test', type => 'ecdsa');
my $listen = "Listen 127.0.0.1:\${port_https}\n";

sub httpd {
    my ($lines, %o) = @_;
    my $httpd = SL::Httpd->new(%o);
    $httpd->config($listen . $lines . tls_host('one.test', $cert));
    page($httpd, 'one.test');
    return $httpd;
}
sub client { return SL::Client->new(port => $_[0]->port('https')) }

# ---- trace4, trace7 ----

my %lines;
for my $level (qw(trace3 trace4 trace7)) {
    my $httpd = httpd("LogLevel ssl:$level\n", name => $level);
    $httpd->start_ok or next;
    is(client($httpd)->curl('https://one.test/')->{code}, 200, "$level: a request");
    # A client's bytes that would be lines of their own, and terminal codes.
    my $raw = client($httpd)->raw;
    $raw->send("\x16\x03\x01\x00\x30\x01\n[forged] a line\n\e[31m%s%n\0" . 'x' x 40);
    $raw->read_to_end;
    $raw->close;
    ok($httpd->wait_for_log(qr/SL0104/), '... and garbage');
    my $log = $httpd->error_log;
    $lines{$level} = { map { my $id = $_; ($id => [grep {/$id/} split /\n/, $log]) } qw(SL0160 SL0161) };
    unlike($log, qr/^\[forged\]|\e/m, '... no line of a client');
    if ($level eq 'trace7') {
        my @data = $log =~ /^.*\[ssl:trace7\].*$/mg;
        cmp_ok(scalar @data, '>', 40, '... with the bytes');
        ok(!(grep { length > 400 } @data), '... in short lines');
        like($log, qr/SL0161: read/,  '... of reads');
        like($log, qr/SL0161: wrote/, '... and writes');
        like($log, qr/\b16 ?03 ?01/,  '... in hex: the header of a ClientHello');
        unlike($log, qr/this is one\.test|GET \/ HTTP/, '... and nothing decrypted');
    }
    $httpd->stop;
}
is(scalar @{ $lines{trace3}{SL0160} }, 0, 'trace3 counts nothing');
is(scalar @{ $lines{trace4}{SL0161} } + @{ $lines{trace3}{SL0161} }, 0, 'trace4 shows no bytes');
my @counts = @{ $lines{trace4}{SL0160} };
like($counts[0] || '', qr/\[ssl:trace4\] .*\[(?:client|remote) 127\.0\.0\.1:\d+\] SL0160: read/, 'trace4 begins with a read of the client');
ok((grep {/read \d+ of \d+ bytes from the client/} @counts), '... counts what was read');
ok((grep {/wrote \d+ bytes to the client/} @counts), '... and written');

# ---- keys ----

# The random of the ClientHello that s_client sent, lower-case hex.
sub client_random {
    my ($httpd, @args) = @_;
    my $r = client($httpd)->s_client('one.test', args => ['-msg', @args], input => "GET / HTTP/1.0\r\nHost: one.test\r\n\r\n");
    my ($hello) = $r->{text} =~ /^>>> TLS [\d.]+, Handshake \[length \w+\], ClientHello\n((?:    .*\n)+)/m or return 'no hello';
    my $bytes = join '', $hello =~ /\b([0-9a-f]{2})\b/g;
    return substr $bytes, 12, 64;    # behind type, length, version
}

{
    my $httpd = httpd("SecureLayerKeyLog work/../keys\n", name => 'with the directive');
    $httpd->start_ok;
    like($httpd->error_log, qr/\[ssl:warn\] .*SL0162: the keys of all TLS connections are written to \S+keys: whoever reads it/, '... and warns');
    my %random = map { $_ => client_random($httpd, "-tls$_") } '1_2', '1_3';
    my $file = $httpd->root . '/keys';
    ok(wait_until(sub { slurp($file) =~ /^CLIENT_TRAFFIC_SECRET_0 $random{'1_3'} /m }, 10), 'the file has the secret of a TLS 1.3 connection') or diag slurp($file);
    my $keys = slurp($file);
    like($keys, qr/^CLIENT_RANDOM $random{'1_2'} [0-9a-f]{96}$/m, '... and of a TLS 1.2 one');
    like($keys, qr/^$_ $random{'1_3'} [0-9a-f]{64,96}$/m, "... $_") for qw(CLIENT_HANDSHAKE_TRAFFIC_SECRET SERVER_HANDSHAKE_TRAFFIC_SECRET SERVER_TRAFFIC_SECRET_0);
    is(join('', grep { !/^[A-Z_0-9]+ [0-9a-f]{64} [0-9a-f]+$/ } split /\n/, $keys), '', '... in whole lines');
    is(sprintf('%o', (stat $file)[2] & 07777), '600', '... for its owner alone');
    is((stat $file)[4], $>, '... who is who started httpd');
    if (!$httpd->{single}) {
        ok($httpd->restart, 'a graceful restart');
        my $again = client_random($httpd, '-tls1_2');
        ok(wait_until(sub { slurp($file) =~ /^CLIENT_RANDOM $again /m }, 10), '... adds to it');
        like(slurp($file), qr/\A\Q$keys\E/, '... at its end');
        $httpd->set_config($listen . tls_host('one.test', $cert));
        ok($httpd->restart, 'a graceful restart without the directive');
        my $size = -s $file;
        is(client($httpd)->curl('https://one.test/')->{code}, 200, '... serves');
        is(-s $file, $size, '... and adds nothing');
    }
    $httpd->stop;
}

{
    my $httpd = httpd('', name => 'the environment alone');
    my $file = $httpd->root . '/work/env-keys';
    $httpd->{env}{SSLKEYLOGFILE} = $file;
    $httpd->start_ok;
    like($httpd->error_log, qr/\[ssl:warn\] .*SL0163: SSLKEYLOGFILE=\Q$file\E in the environment is ignored/, '... and warns');
    is(client($httpd)->curl('https://one.test/')->{code}, 200, '... it serves');
    ok(!-e $file, '... no keys are written');
    if (!$httpd->{single}) {
        ok($httpd->restart, 'a graceful restart');
        like($httpd->new_log, qr/SL0163/, '... warns again');
        $httpd->set_config("SecureLayerKeyLog environment\n$listen" . tls_host('one.test', $cert));
        ok($httpd->restart, 'a graceful restart with the directive');
        my $random = client_random($httpd, '-tls1_3');
        ok(wait_until(sub { slurp($file) =~ /^CLIENT_TRAFFIC_SECRET_0 $random /m }, 10), '... they are, where it says');
        unlike($httpd->new_log, qr/SL0163/, '... without that warning');
    }
    $httpd->stop;
}

for my $case (['nowhere/keys', qr/SecureLayerKeyLog: \S+nowhere\/keys: can't be opened for the keys/],
    ['open', qr/SecureLayerKeyLog: \S+open: others than its owner can read it\. Set its mode to 0600/],
    ['environment', qr/SecureLayerKeyLog: SSLKEYLOGFILE is not in the environment/]) {
    my $httpd = httpd("SecureLayerKeyLog $case->[0]\n", name => "a wrong file: $case->[0]");
    chmod 0644, $httpd->file('open', '');
    ok(!$httpd->start, "SecureLayerKeyLog $case->[0]: no start");
    like($httpd->said, qr/\[ssl:emerg\] .*$case->[1]/, '... and it says why');
    is(slurp($httpd->root . '/open'), '', '... nothing was written');
}
done_testing;
