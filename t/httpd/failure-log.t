# Each handshake that fails leaves one line: what kind of failure, who asked for what, the alert, and what it means.
# Nothing a client sends breaks the line, and a flood of failures does not flood the log.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Time::HiRes qw(time);
use SL::Certs;
use SL::Client;
use SL::Command qw(slow wait_until);
use SL::Conf qw(tls_host page);
use SL::Httpd;

my $certs  = SL::Certs->new;
my $cert   = $certs->server('any.test', type => 'ecdsa', names => [map {"$_.test"} qw(plain new suite asks alpn hasty)]);
my %client = (expired => $certs->client('expired', type => 'ecdsa', end => '-1d'),
    stranger => $certs->client('stranger', type => 'ecdsa', issuer => 'other-ca'));
my $httpd = SL::Httpd->new(mpm_settings => "StartServers 1\nThreadsPerChild 25\nMaxRequestWorkers 25\nMinSpareThreads 1\nMaxSpareThreads 25\n");
$httpd->config(join '', map({"Listen 127.0.0.1:\${port_$_}\n"} qw(https refuse hasty)), "AcceptFilter http none\nAcceptFilter https none\n",
    tls_host('plain.test', $cert),
    tls_host('new.test',   $cert, 'SSLProtocol TLSv1.3'),
    tls_host('suite.test', $cert, 'SSLCipherSuite ECDHE-ECDSA-CHACHA20-POLY1305', 'SSLCipherSuite TLSv1.3 TLS_CHACHA20_POLY1305_SHA256'),
    tls_host('asks.test',  $cert, 'SSLVerifyClient require', "SSLCACertificateFile \"@{[$certs->ca('client-ca')]}\""),
    tls_host('alpn.test',  $cert, 'Protocols http/1.1'),
    tls_host({ name => 'plain.test', port => 'refuse' }, $cert, 'SecureLayerUnknownName refuse'),
    tls_host({ name => 'hasty.test', port => 'hasty' },  $cert, 'SecureLayerHandshakeTimeout 1'));
$httpd->start_ok or BAIL_OUT('httpd does not start');
my $client = SL::Client->new(port => $httpd->port('https'));

# Fewer than the 20 a second that are logged.
my @when;
sub keep_pace {
    push @when, time;
    my $since = @when > 18 ? $when[-19] : 0;
    wait_until(sub { time > $since + 1.1 }, 5);
    $when[-1] = time;
}

sub lines { my ($text) = @_; my @lines = $text =~ /^(.*SL0104: .*)$/mg; return @lines }

# What the line says after the address, in parts.
my $failures = 0;
sub line_of {
    my ($code) = @_;
    keep_pace();
    $httpd->mark;
    $code->();
    $failures++;
    my $found = $httpd->wait_for_log(qr/SL0104: .*\n/, 10 * slow());
    my @lines = lines($httpd->new_log);
    my %told = (line => $lines[0] // '', found => defined $found);
    @told{qw(class address name offered sent received hint)} = $told{line} =~
        /SL0104: handshake failed \(([\w-]+)\) with client (\S+), name asked for (.*?); client (.*); alert sent: (.*?), received: (.*?); (.*)$/;
    return \%told;
}

sub is_told {
    my ($what, $code, %want) = @_;
    my $told = line_of($code);
    is($told->{class}, delete $want{class}, "$what: its class") or return diag $told->{line};
    is($told->{address}, '127.0.0.1', '... the client');
    for my $part (sort keys %want) {
        if (ref $want{$part}) { like($told->{$part}, $want{$part}, "... $part") }
        else                  { is($told->{$part}, $want{$part}, "... $part: $want{$part}") }
    }
    return $told;
}

sub shake { my ($host, @o) = @_; return sub { $client->s_client("$host.test", stay => 1, @o) } }
sub say_raw {
    my ($bytes, %o) = @_;
    return sub {
        my $stream = $client->raw(port => $httpd->port($o{port} || 'https'));
        $stream->send($bytes);
        if ($o{close}) { $stream->close }
        else           { $stream->read_to_end(15) }
    };
}

# A hello of TLS 1.2 and 1.3 by hand.
sub vector { my ($width, $bytes) = @_; return ($width == 1 ? pack('C', length $bytes) : pack('n', length $bytes)) . $bytes }
sub hello {
    my (%o) = @_;
    my $extensions = pack('n', 10) . vector(2, vector(2, pack 'n2', 29, 23)) . pack('n', 13) . vector(2, vector(2, pack 'n2', 0x0403, 0x0804))
        . pack('n', 43) . vector(2, vector(1, pack 'n*', @{ $o{versions} || [0x0304, 0x0303] }));
    $extensions .= pack('n', 0) . vector(2, vector(2, "\0" . vector(2, $o{name}))) if defined $o{name};
    $extensions .= pack('n', 16) . vector(2, vector(2, join '', map { vector(1, $_) } @{ $o{alpn} })) if $o{alpn};
    my $body = pack('n', 0x0303) . 'r' x 32 . vector(1, '') . vector(2, pack 'n2', 0x1301, 0xc02b) . vector(1, "\0") . vector(2, $extensions);
    my $handshake = pack('CCn', 1, 0, length $body) . $body;
    return pack('Cnn', 22, 0x0301, length $handshake) . $handshake;
}

# ---- each class ----

is_told('no common version', shake('new', args => ['-tls1_2', '-alpn', 'h2,http/1.1']), class => 'version', name => 'new.test',
    offered => 'offered TLSv1.2, ALPN h2,http/1.1', sent => 'protocol version (70)', received => 'none',
    hint => qr/the client offers only TLSv1\.2, and SSLProtocol of new\.test:\d+ allows none of that$/);
for my $case (['-tls1_2', '-cipher', 'ECDHE-ECDSA-AES128-GCM-SHA256'], ['-tls1_3', '-ciphersuites', 'TLS_AES_128_GCM_SHA256']) {
    is_told("no common suite, $case->[0]", shake('suite', args => $case), class => 'cipher-suite', name => 'suite.test',
        offered => qr/^offered TLSv1\.[23], ALPN -$/, sent => 'handshake failure (40)',
        hint => qr/client and suite\.test:\d+ have no cipher suite, group or signature algorithm in common/);
}
is_told('no common signature algorithm', shake('plain', args => ['-tls1_3', '-sigalgs', 'RSA-PSS+SHA256']), class => 'cipher-suite',
    name => 'plain.test', sent => 'handshake failure (40)', hint => qr/key type suits the client/);
is_told('no common group', shake('plain', args => ['-tls1_3', '-groups', 'ffdhe8192']), class => 'cipher-suite', name => 'plain.test',
    sent => qr/^handshake failure|^illegal parameter/);
for my $version (qw(tls1_2 tls1_3)) {
    is_told("a client that does not know the CA, $version", shake('plain', cacert => $certs->ca('other-ca'), args => ["-$version", '-verify_return_error']),
        class => 'alert', name => 'plain.test', sent => 'none', received => 'unknown CA (48)',
        hint => qr/the client trusts no CA that signed the certificate in \Q$cert->{full}\E, issued by .*SL Test CA: it lacks that CA, or/);
    is_told("no client certificate, $version", shake('asks', args => ["-$version"]), class => 'client-certificate', name => 'asks.test',
        sent => $version eq 'tls1_3' ? 'certificate required (116)' : 'handshake failure (40)',
        hint => qr/asks\.test:\d+ requires a client certificate \(SSLVerifyClient\) and the client sent none$/);
    is_told("an expired one, $version", shake('asks', cert => $client{expired}, args => ["-$version"]), class => 'client-certificate',
        name => 'asks.test', sent => 'certificate expired (45)', hint => qr/certificate was not accepted: certificate has expired$/);
    is_told("one of an unknown CA, $version", shake('asks', cert => $client{stranger}, args => ["-$version"]), class => 'client-certificate',
        name => 'asks.test', sent => 'unknown CA (48)', hint => qr/not accepted: unable to get local issuer certificate$/);
    is_told("no common protocol, $version", shake('alpn', args => ["-$version", '-alpn', 'h3,foo']), class => 'alpn', name => 'alpn.test',
        offered => qr/, ALPN h3,foo$/, sent => 'no application protocol (120)', hint => qr/none of the application protocols.*SecureLayerStrictALPN off/);
}
is_told('an unknown name refused', shake('nobody', port => $httpd->port('refuse')), class => 'unknown-name', name => 'nobody.test',
    sent => 'unrecognized name (112)', hint => qr/no virtual host has that name, and SecureLayerUnknownName refuses it$/);
is_told('garbage', say_raw("\x00\x01garbage" x 20), class => 'not-tls', name => 'none', offered => 'no complete ClientHello',
    hint => qr/the client speaks neither TLS nor HTTP$/);
is_told('a hello that announces too much', say_raw(pack('CnnCCn', 22, 0x0301, 16000, 1, 2, 0) . 'x' x 15996), class => 'bad-hello',
    name => 'none', sent => 'decode error (50)', hint => qr/first message is not a usable ClientHello$/);
is_told('SSLv2', say_raw("\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" . 'x' x 40), class => 'bad-hello', hint => qr/not a usable ClientHello$/);
is_told('half a hello and away', say_raw(substr(hello(name => 'plain.test'), 0, 40), close => 1), class => 'peer-closed', sent => 'none',
    received => 'none', hint => qr/the client closed the connection before the handshake was complete$/);
is_told('silence', say_raw('', port => 'hasty'), class => 'timeout', name => 'none', sent => 'none',
    hint => qr/not complete within SecureLayerHandshakeTimeout/);
is_told('silence after the hello', say_raw(hello(name => 'hasty.test', alpn => ['http/1.1'], versions => [0x0303]), port => 'hasty'), class => 'timeout',
    name => 'hasty.test', offered => 'offered TLSv1.2, ALPN http/1.1');

# ---- hostile names and protocols ----

my $forged = "x\n[Mon Jan 01 00:00:00 2026] [core:error] forged\r\n";
my @hostile = (
    ['a line of its own', $forged],
    ['control bytes',     join '', map {chr} 1 .. 31, 127],
    ['quotes',            q{a"b'c\\d; alert sent: none, received: none; %n%s$(x)`x`}],
    ['terminal commands', "\e[2J\e]0;title\a"],
    ['UTF-8',             "b\xc3\xbccher.test"],
    ['broken UTF-8',      "\xc3\x28\xff\xfe\xf0\x9f\x80\xe2\x80\xae"],
    ['255 bytes',         'a' x 255],
    ['255 odd bytes',     "\xff" x 255],
    ['a NUL',             "evil\0.test"],
    ['one byte',          ' '],
);
for my $case (@hostile) {
    my ($what, $bytes) = @$case;
    for my $kind ('name', 'ALPN') {
        my %o = $kind eq 'name' ? (name => $bytes) : (name => 'nobody.test', alpn => [$bytes, 'http/1.1', $bytes]);
        my $told = line_of(say_raw(hello(%o), port => 'refuse'));
        like($told->{class} // '', qr/^(?:unknown-name|bad-hello)$/, "$what as $kind: one line") or diag $httpd->new_log;
        like($httpd->new_log, qr/\A(?:\[[ -~]{20,2000}\n)+\z/, '... of printable characters');
        like($told->{line}, qr/; (?:no virtual host has that name|the client's first message)[^;]*$/, '... to its end');
    }
}
my @many = map {"protocol-$_"} 1 .. 60;
my $told = line_of(say_raw(hello(name => 'nobody.test', alpn => \@many), port => 'refuse'));
like($told->{offered} // '', qr/ALPN protocol-1,.*,protocol-16,\.\.\.$/, 'of many protocols only the first are told');

my $log = $httpd->error_log;
is(scalar(lines($log)), $failures, 'one line for each failure');
unlike($log, qr/^\[Mon Jan 01/m, '... and none that a client wrote');
unlike($log, qr/SL0105/, '... and none was left out');

# ---- a flood ----

wait_until(sub { time > $when[-1] + 1.1 }, 5);
$httpd->mark;
my ($began, $flood) = (time, 150);
for (1 .. $flood) {
    my $stream = $client->raw;
    $stream->send("\x00garbage\x00garbage");
    ok(0, 'garbage is not answered') unless defined $stream->read_to_end(15);
}
my $seconds = time - $began;
sub counted {
    my $new = $httpd->new_log;
    my $left_out = 0;
    $left_out += $1 while $new =~ /SL0105: (\d+) failed handshakes before this one were not logged/g;
    return (scalar(lines($new)), $left_out);
}
wait_until(sub { time > $began + $seconds + 1.1 }, 5);
say_raw("\x00one more")->();
ok(wait_until(sub { my ($written, $left_out) = counted(); return $written + $left_out == $flood + 1 }, 10 * slow()),
    'a flood: the lines and those that are said to be left out add up') or diag join ' ', counted();
my ($written, $left_out) = counted();
cmp_ok($written, '<=', 20 * (int($seconds) + 2) + 1, "... no more than 20 lines a second ($written in $seconds)");
cmp_ok($left_out, '>', 0, "... some were left out") if $flood > 20 * (int($seconds) + 2);
$httpd->stop;
done_testing;
