# A host that SecureLayerBrokenHost skip leaves out for the files of its certificate is served by itself once they are in order: within
# two seconds, in all processes, with its staple and its line in the status page, however the files come. Until then nothing
# leads to it. Who is left out for something else as well waits for a restart, and so does everybody with SecureLayerReload off.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use JSON::PP;
use Test::More;
use Time::HiRes qw(time);
use SL::Certs;
use SL::Client;
use SL::Command qw(slow slurp spew wait_until);
use SL::Conf qw(page tls_host);
use SL::Httpd;
use SL::Responder;

plan skip_all => 'with one process there is a keeper too, but no time to wait for it' if ($ENV{SL_SAN} || '') eq 'tsan';

my $certs     = SL::Certs->new;
my $responder = SL::Responder->new(certs => $certs, ca => 'ca');
my $aia       = 'authorityInfoAccess=OCSP;URI:' . $responder->url . "\n";
my %pair      = map { $_ => $certs->server("$_.test", type => 'ecdsa') } qw(good gone names first);
$pair{rsa}     = $certs->server('both.test', type => 'rsa');
$pair{ecdsa}   = $certs->server('both.test', type => 'ecdsa');
$pair{shared}  = $certs->server('shared.test', type => 'ecdsa', names => ['shared.test', 'also.test', '*.shared.test']);
$pair{stapled} = $certs->server('stapled.test', type => 'ecdsa', extensions => $aia);
$pair{expired} = $certs->server('names.test', type => 'ecdsa', tag => 'repaired', start => '-20d', end => '-1d');
$pair{keyed}   = $certs->server('keys.test', type => 'ecdsa');
$pair{weak}    = $certs->server('names.test', type => 'rsa1024');
$pair{renewed} = $certs->server('gone.test', type => 'ecdsa', tag => 'repaired');

my $httpd = SL::Httpd->new(modules => ['http2']);
my $dir   = $httpd->root . '/work';
my $ca    = $certs->ca('ca');
sub put_file { my ($path, $text) = @_; spew("$path.new", $text, 0600); rename "$path.new", $path or die "$path: $!"; return }
sub install { my ($name, $pair) = @_; put_file("$dir/$name.crt", slurp($pair->{full})); put_file("$dir/$name.key", slurp($pair->{key})); return }
sub files { return { full => "$dir/$_[0].crt", key => "$dir/$_[0].key" } }

# What is there at the start: nothing, an empty file, half of a pair, another key.
put_file("$dir/rsa.key", slurp($pair{rsa}{key}));
put_file("$dir/names.crt", '');
put_file("$dir/names.key", slurp($pair{names}{key}));
put_file("$dir/first.crt", slurp($pair{first}{full}));
put_file("$dir/first.key", slurp($pair{good}{key}));
put_file("$dir/keys", 'no keys');
my $head = join('', map {"Listen 127.0.0.1:\${port_$_}\n"} qw(https first bare)) . "Protocols h2 http/1.1\nSSLVHostSNIPolicy insecure\n"
    . "LogLevel ssl:debug\n<Location /status>\nSetHandler securelayer-status\n</Location>\nSSLStaplingErrorCacheTimeout 1\nSecureLayerBrokenHost skip\n";
my $good  = tls_host('good.test', $pair{good});
my $hosts = $good
    . tls_host('gone.test', files('new/place/gone'))
    . tls_host('both.test', [$pair{ecdsa}, files('rsa')])
    . tls_host('shared.test', files('shared'))
    . tls_host('also.test', files('shared'), 'ServerAlias *.shared.test')
    . tls_host('names.test', files('names'))
    . tls_host('stapled.test', files('stapled'), 'SSLUseStapling on')
    . tls_host('other.test', files('shared'), 'SSLOCSPEnable on', "SSLOCSPResponderCertificateFile $dir/gone.responder")
    . tls_host('keys.test', files('keyed'), "SSLSessionTicketKeyFile $dir/keys")
    . tls_host({ name => 'first.test', port => 'first' }, files('first'))
    . tls_host({ name => 'second.test', port => 'first' }, $pair{good})
    . tls_host({ name => 'bare.test', port => 'bare' }, files('bare')) =~ s/ServerName.*//r;
my @waiting = qw(gone both shared also names stapled first bare);
page($httpd, map {"$_.test"} qw(good second other keys), @waiting);
$httpd->set_config("$head$hosts");

my $tested = $httpd->configtest;
is($tested->{status}, 0, 'httpd -t accepts the configuration') or diag $tested->{err};
like($tested->{err}, qr/SL0180: .*: $_\.test:\d+: the host is left out: .*Repair it, and it is served: nothing has to be restarted/, "... and says that $_.test is served when it is repaired")
    for grep { $_ ne 'bare' } @waiting;
like($tested->{err}, qr/SL0180: .*: $_\.test:\d+: the host is left out: .*Repair it and restart httpd gracefully/, "... and that $_.test takes a restart") for qw(keys other);
unlike(SL::Httpd->new->set_config("${head}SecureLayerReload off\n$hosts")->configtest->{err}, qr/nothing has to be restarted/, '... as do all with SecureLayerReload off');

$httpd->start_ok or BAIL_OUT('httpd does not start');
my %client = map { $_ => SL::Client->new(port => $httpd->port($_), cacert => $ca) } qw(https first bare);
my %port   = (bare => 'bare', first => 'first', second => 'first');
sub client { return $client{ $port{ $_[0] } || 'https' } }
sub body   { my ($name, @args) = @_; return client($name)->curl("https://$name.test/", @args)->{body} }
sub status { return decode_json($client{https}->curl('https://good.test/status?json')->{body}) }
sub out    { return join ' ', sort map { $_->{name} =~ /^(\w+)/ } @{ status()->{left_out}{hosts} } }

sub is_refused {
    my ($name, $what, %o) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $s = client($name)->s_client("$name.test", %o);
    return is($s->{connected} ? 'a connection' : $s->{alert_number} // 'none', 112, $what || "$name.test: unrecognized_name") || diag $s->{text};
}

# Served within two seconds of what was just written.
sub comes {
    my ($name, $what) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $began = time;
    return ok(wait_until(sub { body($name) eq "this is $name.test\n" }, 2 * slow()), "$what, after " . sprintf('%.1f s', time - $began)) || diag $httpd->new_log;
}

mkdir "$dir/new" or die $!;
is_refused($_) for @waiting;
mkdir "$dir/new/place" or die $!;
is_refused($_) for qw(keys other);
is_refused('first', '... without a name', sni => '');
my $before = status();
is($before->{left_out}{total}, 10, 'the status page counts them');
is(join(' ', sort map { $_->{needs_restart} ? $_->{name} =~ /^(\w+)/ : () } @{ $before->{left_out}{hosts} }), 'keys other', '... and knows who needs a restart');
is($before->{certificates}{total}, 2, '... and no certificate of those that are not there');
like($httpd->new_log, qr/SL0181: 10 virtual hosts are left out .*, 2 are served by TLS/, 'the log counts them');
is($client{https}->curl('https://good.test/', args => ['-H', 'Host: gone.test'])->{code}, 421, "another host's connection does not lead there");

# ---- they come ----

$httpd->mark;
install('new/place/gone', $pair{gone});
comes('gone', 'a certificate in a directory that was not there');
ok($httpd->wait_for_log(qr{SL0191: the certificate \S+/new/place/gone\.crt is there: who was left out for nothing else is served now: valid until [^,]*, serial number \w+}), '... and the log says so');
is($client{https}->curl('https://good.test/', args => ['-H', 'Host: gone.test'])->{body}, "this is gone.test\n", "... and requests over another host's connection");
is(join(',', map { body('gone', http => $_) } 1.1, 2), "this is gone.test\n,this is gone.test\n", '... with HTTP/1.1 and HTTP/2');
my $after = status();
is($after->{left_out}{total}, 9, '... the status page counts it no more');
is($after->{certificates}{total}, 3, '... and has its certificate');
my ($row) = @{ decode_json($client{https}->curl('https://good.test/status?json&filter=gone.test')->{body})->{certificates}{list} };
like($row->{not_after} // '', qr/^20\d\d-/, '... with its dates') or diag explain $row;
like($client{https}->curl('https://good.test/status?metrics')->{body}, qr/^securelayer_hosts_left_out 9$/m, '... so do the metrics');

put_file("$dir/rsa.crt", slurp($pair{rsa}{full}));
comes('both', 'a host with two certificates, when the one that was missing comes');
is($client{https}->s_client('both.test', args => ['-sigalgs', $_->[0]])->{connected}, 1, "... and it has both: $_->[1]")
    for ['RSA-PSS+SHA256', 'RSA'], ['ECDSA+SHA256', 'ECDSA'];

install('shared', $pair{shared});
comes('shared', 'two hosts with the same files');
is($client{https}->curl('https://www.shared.test/')->{body}, "this is also.test\n", '... both of them, by an alias');
is(scalar(() = $httpd->new_log =~ /SL0191: [^\n]*shared/g), 1, '... and the log says it once');
is_refused($_, "... not $_.test, which lacks something else") for qw(keys other);

install('bare', $pair{gone});
ok(wait_until(sub { $client{bare}->curl('https://gone.test/')->{body} eq "this is bare.test\n" }, 2 * slow()), 'a host without a name, with any certificate') or diag $httpd->new_log;

install('keyed', $pair{keyed});
put_file("$dir/first.key", slurp($pair{first}{key}));
comes('first', 'the first host of an address, when its key matches');
unlike($httpd->new_log, qr/SL0191: [^\n]*keyed/, '... and nobody is told to be served who is not');
ok($client{first}->s_client('first.test', sni => '')->{connected}, '... and it is there for who sends no name');

# ---- what is no good is refused, at once, and told ----

for my $bad (['good', qr/does not cover names\.test\. Get a certificate for that name/], ['expired', qr/expired on/], ['weak', qr/has only 1024 bits/]) {
    $httpd->mark;
    install('names', $pair{ $bad->[0] });
    ok($httpd->wait_for_log(qr/SL0192: the certificate \S+names\.crt was changed, but can't be used; who is left out for it stays so: [^\n]*$bad->[1]/, 10), "$bad->[0]: refused, with the reason")
        or diag $httpd->new_log;
    is_refused('names', '... and the host stays left out');
}
$after = status();
like((map { $_->{reason} } grep { $_->{name} =~ /^names/ } @{ $after->{left_out}{hosts} })[0], qr/has only 1024 bits/, 'the status page has the newest reason');
is($after->{reload}{refused_total}, 0, '... and nobody who serves with an older certificate');
my ($keeper) = $httpd->awaited_helper('keeper');
kill 'KILL', $keeper;
install('names', $pair{names});
ok(wait_until(sub { my $new = $httpd->helper('keeper'); $new && $new != $keeper }, 20 * slow()), 'the keeper dies, and another one starts');
comes('names', '... which takes what has come');

# ---- stapling ----

put_file("$dir/stapled.crt", slurp($pair{stapled}{full}) . slurp($ca));
put_file("$dir/stapled.key", slurp($pair{stapled}{key}));
comes('stapled', 'a host with stapling');
ok(wait_until(sub { my $s = $client{https}->s_client('stapled.test', args => ['-status']); "$s->{out}$s->{text}" =~ /Cert Status: good/ }, 20 * slow()), '... gets its answer');
is(out(), 'keys other', 'nobody else is left out any more');

# ---- restarts ----

unlink "$dir/new/place/gone.crt" or die $!;
ok($httpd->restart(graceful => 1), 'a graceful restart, when one of the certificates is missing again') or BAIL_OUT($httpd->new_log);
like($httpd->new_log, qr/SL0004: .*the certificate that was served before keeps serving/, '... tells it');
is(out(), 'keys other', '... and leaves out nobody else');
is(body($_), "this is $_.test\n", "... $_.test is served") for grep { $_ ne 'bare' } @waiting;
install('new/place/gone', $pair{renewed});
ok(wait_until(sub { $client{https}->s_client('gone.test')->{text} =~ /@{[ slurp($pair{renewed}{cert}) =~ m{CERTIFICATE-----\s+(\S+)} ]}/ }, 5 * slow()), '... with a renewed certificate when it comes');

unlink map {"$dir/late.$_"} qw(crt key);
$httpd->set_config($head . $good . tls_host('late.test', files('late')));
page($httpd, 'late.test');
ok($httpd->restart(graceful => 1), 'a restart with a new host whose certificate has not been issued');
is_refused('late');
ok($httpd->restart(graceful => 1), '... and another one');
is_refused('late');
install('late', $certs->server('late.test', type => 'ecdsa'));
comes('late', '... and then it comes');

unlink "$dir/off.crt";
$httpd->set_config("${head}SecureLayerReload off\n" . $good . tls_host('off.test', files('off')));
page($httpd, 'off.test');
ok($httpd->restart(graceful => 1), 'with SecureLayerReload off');
install('off', $certs->server('off.test', type => 'ecdsa'));
is(status()->{left_out}{hosts}[0]{needs_restart}, JSON::PP::true, '... a restart is needed');
is_refused('off');
ok($httpd->restart(graceful => 1), '... which comes');
is(body('off'), "this is off.test\n", '... and the host is served');
$httpd->stop;
done_testing;
