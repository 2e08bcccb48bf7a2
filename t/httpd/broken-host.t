# SecureLayerBrokenHost: a virtual host that can't be served stops the start, or (skip) is left out: all others serve, its
# names get unrecognized_name, and nothing leads to its pages, not by another host's handshake nor in plain text. A restart
# that finds a certificate's files broken keeps the one it has under both. (Who is repaired: repaired-host.t)
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use JSON::PP;
use Test::More;
use SL::Certs;
use SL::Client;
use SL::Command qw(slurp spew wait_until slow);
use SL::Conf qw(tls_host page);
use SL::Httpd;

my $certs = SL::Certs->new;
my %pair  = map { $_ => $certs->server("$_.test", type => 'ecdsa') } qw(good second other renewed);
my $ca    = $certs->ca('client-ca');
my $httpd = SL::Httpd->new(modules => ['http2']);
my $root  = $httpd->root;
my $garbage = $httpd->file('work/garbage', "<!DOCTYPE html>\n<html><body>Your certificate is ready</body></html>\n");
my $empty   = $httpd->file('work/empty', '');
my $listen  = join '', map {"Listen 127.0.0.1:\${port_$_}\n"} qw(https first lone mixed);
my $policy  = "Protocols h2 http/1.1\nSSLVHostSNIPolicy insecure\n<Location /status>\nSetHandler securelayer-status\n</Location>\n";

sub files { my ($cert, $key) = @_; return ("SSLCertificateFile \"$cert\"", $key ? "SSLCertificateKeyFile \"$key\"" : ()) }

# Name, what is wrong with it, what is told of it.
my @good = files(@{ $pair{good} }{qw(full key)});
my @broken = (
    ['gone',      [files("$root/work/gone.crt", $pair{good}{key})], qr{SL0002: .*SSLCertificateFile: \S+/gone\.crt: No such file}],
    ['keyless',   [files($pair{good}{full}, "$root/work/gone.key")], qr{SL0002: .*SSLCertificateKeyFile: \S+/gone\.key: No such file}],
    ['empty',     [files($empty, $pair{good}{key})], qr{SL0002: .*SSLCertificateFile: \S+/empty: is empty}],
    ['garbage',   [files($garbage, $pair{good}{key})], qr{AH02572: .*SSLCertificateFile: \S+/garbage: .*certificate of garbage\.test.*HTML}],
    ['mismatch',  [files($pair{good}{full}, $pair{other}{key})], qr{AH02572: .*certificate of mismatch\.test.*does not belong to the private key}],
    ['bare',      [], qr{AH02572: .*bare\.test:\d+: TLS is on for this host, but it has no certificate}],
    ['half',      [@good, files("$root/work/half.crt", $pair{good}{key})], qr{SL0002: .*SSLCertificateFile: \S+/half\.crt: No such file}],
    ['chain',     [@good, "SSLCertificateChainFile \"$root/work/gone.chain\""], qr{SL0002: .*SSLCertificateChainFile: \S+/gone\.chain: No such file}],
    ['ca',        [@good, "SSLCACertificateFile \"$garbage\""], qr{AH01895: .*SSLCACertificateFile: \S+/garbage: }],
    ['goneca',    [@good, "SSLCACertificateFile \"$root/work/gone.ca\""], qr{SL0002: .*SSLCACertificateFile: \S+/gone\.ca: No such file}],
    ['crl',       [@good, 'SSLCARevocationCheck leaf'], qr{AH01899: .*there is no CRL}],
    ['responder', [@good, 'SSLOCSPEnable on', "SSLOCSPResponderCertificateFile \"$root/work/gone.responder\""],
        qr{SL0002: .*SSLOCSPResponderCertificateFile: \S+/gone\.responder: No such file}],
    # What two hosts have in common is told of one of them.
    ['same',      [@good, 'SSLCipherSuite NONSENSE'], qr{SL0180: .*same\.test:\d+: the host is left out: has the same settings as another host}],
    ['dh',        [@good, "SSLOpenSSLConfCmd DHParameters $root/work/gone.dh"], qr{SL0002: .*SSLOpenSSLConfCmd: \S+/gone\.dh: No such file}],
    ['suites',    [@good, 'SSLCipherSuite NONSENSE'], qr{AH01898: .*no usable cipher suite in 'NONSENSE'}],
    ['keys',      [@good, "SSLSessionTicketKeyFile \"$garbage\""], qr{SL0180: .*keys\.test:\d+: the host is left out: has the same SSLSessionTicketKeyFile}],
    ['tickets',   [@good, "SSLSessionTicketKeyFile \"$garbage\""], qr{AH02287: .*SSLSessionTicketKeyFile: \S+/garbage: }],
    # Written twice in one host: the second line would do, and nobody can know what was meant.
    ['twice',     [@good, "SSLCACertificateFile \"$root/work/twice.ca\"", "SSLCACertificateFile \"$ca\""],
        qr{SL0002: .*SSLCACertificateFile: \S+/twice\.ca: No such file}],
);
my @names = map {"$_->[0].test"} @broken;

sub host { my ($name, $lines, %o) = @_; return tls_host({ name => $name, %o }, [], @$lines) }

# `good.test` is the first host of its port, `first.test` of its own; `lone.test` has nobody beside; where `mixed.test` is, the first
# host has no TLS.
my $hosts = host('good.test', [@good]) . join('', map { host("$_->[0].test", $_->[1]) } @broken)
    . host('first.test', [files($garbage)], port => 'first') . host('second.test', [files(@{ $pair{second} }{qw(full key)})], port => 'first')
    . host('lone.test', [files($garbage)], port => 'lone')
    . "<VirtualHost *:\${port_mixed}>\n    ServerName plain.test\n    DocumentRoot \"\${docs}/plain.test\"\n</VirtualHost>\n"
    . host('mixed.test', [files($garbage)], port => 'mixed')
    . "<VirtualHost *:\${port_mixed}>\n    ServerName off.test\n    SSLCertificateFile \"$root/work/off.crt\"\n</VirtualHost>\n";
my @all = (@names, qw(first.test lone.test mixed.test));
page($httpd, qw(good.test second.test plain.test), @all);

sub told { my ($text, $level, $what) = @_; return grep { /\[ssl:$level\]/ && $_ =~ $what } split /\n/, $text }

# ---- refuse-start ----

$httpd->set_config("$listen$policy$hosts");
my $tested = $httpd->configtest;
isnt($tested->{status}, 0, 'by default httpd -t refuses the configuration');
ok(!$httpd->start, '... and httpd does not start');
is($httpd->start_status, 1, '... as its status says');
for my $b (grep { $_->[2] !~ /SL0180/ } @broken) {
    ok(told($httpd->error_log, 'emerg', $b->[2]), "... for $b->[0].test, among others") or diag $httpd->error_log;
}
ok(told($httpd->error_log, 'emerg', qr{SSLCertificateFile: \S+/off\.crt: No such file}), '... and for a line of a host without TLS');
unlike($httpd->error_log, qr/SL018\d/, 'nothing is left out');
is(SL::Httpd->new->set_config("$listen${policy}SecureLayerBrokenHost refuse-start\n$hosts")->configtest->{status}, $tested->{status},
    'SecureLayerBrokenHost refuse-start says the same');

# ---- skip ----

$httpd->set_config("$listen${policy}SecureLayerBrokenHost skip\n$hosts");
$tested = $httpd->configtest;
is($tested->{status}, 0, 'skip: httpd -t accepts the configuration') or diag $tested->{err};
my %waits = map { ("$_.test" => 1) } qw(gone keyless empty garbage mismatch half chain first lone mixed);
for my $name (@all) {
    my $advice = $waits{$name} ? 'and it is served' : 'and restart httpd gracefully';
    like($tested->{err}, qr/SL0180: \S+httpd\.conf:\d+: SecureLayerBrokenHost: $name:\d+: the host is left out: .*\. Repair it,? $advice/, "... and tells that $name is left out, and until when");
}
$httpd->mark;
$httpd->start_ok or BAIL_OUT('httpd does not start');
my $log = $httpd->new_log;
for my $b (@broken) {
    ok(told($log, 'error', $b->[2]), "$b->[0].test: the log tells what is wrong") or diag $log;
    is(scalar told($log, 'error', qr/SL0180: .*: $b->[0]\.test:\d+: the host is left out: /), 1, '... and that it is left out, once');
}
is(scalar told($log, 'error', qr/SL0180/), scalar @all, 'no other host is left out');
is(scalar told($log, 'error', qr{/gone\.crt: No such file.*Check the path}), 1, 'a missing file is told once');
like($log, qr/SL0181: @{[scalar @all]} virtual hosts are left out \(SecureLayerBrokenHost skip\), 2 are served by TLS/, 'they are counted');

# The status page, JSON and metrics name them.
my $status = SL::Client->new(port => $httpd->port('https'));
my $json   = decode_json($status->curl('https://good.test/status?json')->{body});
is($json->{left_out}{total}, scalar @all, 'JSON counts those that are left out');
like((grep { $_->{name} =~ /^gone\.test:/ } @{ $json->{left_out}{hosts} })[0]{reason}, qr/No such file/, '... and says why');
like($status->curl('https://good.test/status?metrics')->{body}, qr/^securelayer_hosts_left_out @{[scalar @all]}$/m, 'so do the metrics');
like($status->curl('https://good.test/status')->{body}, qr/Hosts that are left out.*gone\.test:\d+.*No such file/s, '... and the page');
ok(told($log, 'warn', qr{SL0003: .*SSLCertificateFile: \S+/off\.crt: No such file}), 'a line that nobody needs is warned of');
is(join("\n", told($log, 'emerg', qr/./)), '', 'nothing is an emergency');

my %port = map { $_ => SL::Client->new(port => $httpd->port($_)) } qw(https first lone mixed);
is($port{https}->curl('https://good.test/')->{body}, "this is good.test\n", 'the good host is served');
is($port{first}->curl('https://second.test/')->{body}, "this is second.test\n", '... and one behind a first host that is left out');

sub is_refused {
    my ($client, $name, $what, @args) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $s = $client->s_client($name, @args);
    is($s->{connected} ? 'a connection' : $s->{alert_number} // 'none', 112, "$what: the alert unrecognized_name") or diag $s->{text};
    unlike($s->{out}, qr/BEGIN CERTIFICATE/, '... and no certificate');
    return;
}
is_refused($port{https}, $_, $_) for @names;
is_refused($port{https}, 'gone.test', 'TLS 1.2', args => ['-tls1_2']);
is_refused($port{https}, 'GONE.test.', 'the name in other letters, with a dot');
ok($httpd->wait_for_log(qr/SL0104: .*\(left-out\).*gone\.test.*unrecognized name \(112\).*gone\.test:\d+ is left out \(SecureLayerBrokenHost skip\)/), '... and the log tells why');
is_refused($port{first}, 'first.test', 'the first host of its address');
is_refused($port{first}, 'first.test', '... without a name', sni => '');
is_refused($port{first}, 'nobody.test', '... for a name nobody has');
is($port{first}->curl('https://second.test/', args => ['-H', 'Host: nobody.test'])->{code}, 421, '... and a Host that nobody has does not lead there');
is_refused($port{lone}, 'lone.test', 'a host that has its address alone');
is_refused($port{lone}, 'nobody.test', '... for any other name');
ok($port{https}->s_client('nobody.test')->{connected}, 'names that nobody has go to a first host that is good');

# Plain HTTP
for my $at (['first', 'first.test'], ['lone', 'lone.test'], ['first', 'second.test']) {
    my $r = $port{ $at->[0] }->curl("http://$at->[1]/");
    is($r->{code}, 400, "plain HTTP for $at->[1] is answered as on any port for TLS");
    like($r->{body}, qr/speaking plain HTTP to an SSL-enabled server port/, '... with what to do');
}
is($port{mixed}->curl('http://plain.test/')->{body}, "this is plain.test\n", 'a port whose first host has no TLS');
is($port{mixed}->curl('http://mixed.test/')->{code}, 421, '... leads in plain text to no host that is left out');

# Host and the name of the handshake
for my $http ('1.1', '2') {
    for my $name ('gone.test', 'suites.test', 'crl.test') {
        my $r = $port{https}->curl('https://good.test/', http => $http, args => ['-H', "Host: $name"]);
        is("$r->{version} $r->{code}", "$http 421", "HTTP/$http, by another host's handshake: $name, though SSLVHostSNIPolicy allows anything");
        unlike($r->{body}, qr/this is/, '... and nothing of the page');
    }
}
ok($httpd->wait_for_log(qr/SL0182: a request for gone\.test:\d+, which is left out .* came over another host's handshake/), '... and the log tells at info');
my $s = $port{https}->s_client('good.test', input => "GET https://gone.test/ HTTP/1.1\r\nHost: good.test\r\nConnection: close\r\n\r\n");
like($s->{out}, qr{^HTTP/1\.1 421 }m, '... asked for in the request line');
is($port{https}->curl('https://good.test/', args => ['-H', 'Host: nobody.test'])->{code}, 200, 'a Host that nobody has is the first host\'s');

# ---- what still stops a start ----

my $other = SL::Httpd->new;
for my $case (
    ['a host that asks for it', "SecureLayerBrokenHost skip\n" . host('one.test', [files($garbage), 'SecureLayerBrokenHost refuse-start']), qr/^AH02572: .*one\.test/m],
    ['... with a file that is missing', "SecureLayerBrokenHost skip\n" . host('one.test', [files("$root/work/gone.crt"), 'SecureLayerBrokenHost refuse-start']), qr/SL0002: .*gone\.crt: No such file/],
    ['a word that is wrong', "SecureLayerBrokenHost skip\n" . host('one.test', [@good, 'SSLVerifyClient sometimes']), qr/SL0002: .*does not know 'sometimes'/],
    ['what is for all hosts', "SecureLayerBrokenHost skip\nSSLPassPhraseDialog exec:$root/gone\n" . host('one.test', [@good]), qr/SL0002: .*SSLPassPhraseDialog/],
    ['a wrong word here', "SecureLayerBrokenHost maybe\n" . host('one.test', [@good]), qr/SL0002: .*SecureLayerBrokenHost: does not know 'maybe'/],
    ['settings that another host is left out for', host('two.test', [@good, 'SSLCipherSuite NONSENSE'])
            . host('one.test', [@good, 'SSLCipherSuite NONSENSE', 'SecureLayerBrokenHost skip']), qr/^SL0002: two\.test:\d+: has the same settings as another host/m],
    ['a line that another host is left out for', "SSLCACertificateFile \"$root/work/gone.ca\"\n" . host('one.test', [@good, 'SecureLayerBrokenHost skip'])
            . host('two.test', [@good]), qr/^SL0002: .*SSLCACertificateFile: .*gone\.ca/m],
    ['... but not who has another', "SSLCACertificateFile \"$root/work/gone.ca\"\nSecureLayerBrokenHost skip\n" . host('one.test', [@good])
            . host('two.test', [@good, "SSLCACertificateFile \"$ca\"", 'SecureLayerBrokenHost refuse-start']), undef],
) {
    my ($what, $text, $said) = @$case;
    my $r = $other->set_config("Listen 127.0.0.1:\${port_https}\n$text")->configtest;
    is($r->{status} ? 'stops' : 'goes on', $said ? 'stops' : 'goes on', "$what: a start @{[$said ? 'stops' : 'goes on']}") or diag $r->{err};
    like($r->{err}, $said, '... for that') if $said;
    like($r->{err}, qr/SL0180: .*: one\.test:\d+: the host is left out/, '... without who needs the line') unless $said;
    unlike($r->{err}, qr/SL0180: .*: two\.test/, '... and nobody else') unless $said;
}

# ---- restarts ----

if ($httpd->{single}) {
    $httpd->stop;
    done_testing;
    exit;
}
my ($cert, $key) = map {"$root/work/live.$_"} qw(crt key);
sub install { my ($from) = @_; spew($cert, slurp($from->{full})); spew($key, slurp($from->{key}), 0600); return }
sub pem_of { my ($text) = @_; return $text =~ /(-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----)/s ? $1 : 'none' }
sub served { my ($name) = @_; return pem_of($port{https}->s_client($name)->{out}) }
page($httpd, 'live.test');

for my $broken_host ('refuse-start', 'skip') {
    my $config = "$listen${policy}SecureLayerReload off\nSecureLayerBrokenHost $broken_host\n" . host('good.test', [@good]) . host('live.test', [files($cert, $key)]);
    install($pair{other});
    $httpd->set_config($config);
    ok($httpd->restart, "$broken_host: a restart with good files") or BAIL_OUT($httpd->new_log);
    is(served('live.test'), pem_of(slurp($pair{other}{full})), '... and they serve');
    for my $how (['missing', sub { unlink $cert }], ['empty', sub { spew($cert, '') }], ['garbage', sub { spew($cert, slurp($garbage)) }], ['without its key', sub { install($pair{other}); unlink $key }]) {
        install($pair{renewed});
        $how->[1]->();
        ok($httpd->restart, "$broken_host: a restart that finds a certificate $how->[0]") or BAIL_OUT($httpd->new_log);
        is(scalar told($httpd->new_log, 'warn', qr/SL0004: .*live\.test.*the certificate that was served before keeps serving/), 1, '... tells it, once') or diag $httpd->new_log;
        is(join("\n", told($httpd->new_log, '(?:error|emerg)', qr/./)), '', '... as no error');
        is(served('live.test'), pem_of(slurp($pair{other}{full})), '... and serves the one it had');
    }
    install($pair{renewed});
    ok($httpd->restart, "$broken_host: a restart that finds it repaired");
    is(served('live.test'), pem_of(slurp($pair{renewed}{full})), '... serves the new one');
}

# Repaired while httpd runs
$httpd->set_config("$listen${policy}" . host('good.test', [@good]) . host('live.test', [files($cert, $key)]));
unlink $cert;
ok($httpd->restart, 'a restart that finds a certificate missing, with SecureLayerReload on');
is(served('live.test'), pem_of(slurp($pair{renewed}{full})), '... serves the one it had');
install($pair{other});
ok(wait_until(sub { served('live.test') eq pem_of(slurp($pair{other}{full})) }, 10 * slow()), '... and the new one as soon as it comes') or diag $httpd->new_log;

$httpd->stop;
done_testing;
