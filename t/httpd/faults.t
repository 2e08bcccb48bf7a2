# Keeper and courier: killed, again and again, they have successors that know all and take what changed meanwhile; without
# descriptors or memory, and with news that are too large, what was there serves on, and what is new is taken when the
# shortage ends; they go with their parent, however it ends.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use POSIX ();
use Time::HiRes qw(time);
use SL::Certs;
use SL::Client;
use SL::Command qw(run slow slurp spew wait_until);
use SL::Httpd;
use SL::Responder;

plan skip_all => 'with one process there is a keeper too, but no time to wait for it' if ($ENV{SL_SAN} || '') eq 'tsan';

my $certs = SL::Certs->new;
my $responder = SL::Responder->new(certs => $certs, ca => 'ca');
my $aia   = 'authorityInfoAccess=OCSP;URI:' . $responder->url . "\n";
my @one   = map { $certs->server('one.test', type => 'ecdsa', tag => "faults-$_", extensions => $aia) } 0 .. 7;
my $ann   = $certs->client('faults-ann');
my $bob   = $certs->client('faults-bob', issuer => 'other-ca');
my %ca    = map { $_ => slurp($certs->ca($_)) } qw(ca client-ca other-ca intermediate);

# One child, so that nothing but its own descriptors limits it.
my $httpd = SL::Httpd->new(mpm_settings => "StartServers 1\nServerLimit 1\nThreadsPerChild 8\nMaxRequestWorkers 8\n");
my $dir   = $httpd->root . '/work';
sub put_file { my ($path, $text) = @_; spew("$path.new", $text, 0600); rename "$path.new", $path or die "$path: $!" }
sub install  { my ($pair, $more) = @_; put_file("$dir/one.key", slurp($pair->{key})); put_file("$dir/one.crt", slurp($pair->{full}) . $ca{ca} . ($more // '')); return }
install($one[0]);
put_file("$dir/ca.pem", $ca{'client-ca'});
my $vhost = sub { my ($port, $more) = @_; return "Listen 127.0.0.1:\${port_$port}\n<VirtualHost *:\${port_$port}>\nServerName one.test\nSSLEngine on\nSSLCertificateFile $dir/one.crt\nSSLCertificateKeyFile $dir/one.key\n$more</VirtualHost>\n" };
$httpd->config("SecureLayerReload 1\nSSLUseStapling on\nSSLStaplingResponderTimeout 60\n" . $vhost->('one', '') . $vhost->('auth', "SSLVerifyClient require\nSSLCACertificateFile $dir/ca.pem\n"));
$httpd->start_ok or BAIL_OUT('httpd does not start');
my %client = map { $_ => SL::Client->new(port => $httpd->port($_)) } qw(one auth);

sub first_pem { my ($text) = @_; return $text =~ /(-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----)/s ? $1 : 'none' }
sub served    { return first_pem($client{one}->s_client('one.test')->{text}) }
sub serves    { my ($pair, $name) = @_; local $Test::Builder::Level = $Test::Builder::Level + 1; return is(served(), first_pem(slurp($pair->{cert})), $name) }
sub takes {
    my ($pair, $name, $seconds) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $want = first_pem(slurp($pair->{cert}));
    return ok(wait_until(sub { served() eq $want }, ($seconds || 20) * slow()), $name) || diag $httpd->new_log;
}
sub gets_in { my ($who) = @_; return ($client{auth}->curl('https://one.test/', cert => $who)->{code} || 0) == 200 ? 1 : 0 }
sub is_gone { my ($pid) = @_; return !-e "/proc/$pid" || slurp("/proc/$pid/stat") =~ /^\d+ \(.*\) Z/ }
sub stapled { return $client{one}->s_client('one.test', args => ['-status'])->{text} =~ /OCSP Response Status: successful/ }
# By who the process runs as: nobody else may.
sub limit {
    my ($pid, @limits) = @_;
    my ($user, $group) = slurp("/proc/$pid/status") =~ /^Uid:\s+(\d+).*^Gid:\s+(\d+)/ms;
    my @as = $user == $> ? () : ('setpriv', "--reuid=$user", "--regid=$group", '--clear-groups');
    return run([@as, 'prlimit', '--pid', $pid, @limits])->{status} == 0;
}
sub size_of { my ($pid) = @_; return slurp("/proc/$pid/status") =~ /^VmSize:\s+(\d+) kB/m ? $1 * 1024 : 0 }
sub cpu     { my ($pid) = @_; my @stat = split ' ', slurp("/proc/$pid/stat") =~ s/^.*\)//sr; return ($stat[11] + $stat[12]) / POSIX::sysconf(&POSIX::_SC_CLK_TCK) }

ok(wait_until(\&stapled, 20 * slow()), 'an answer is stapled');

# ---- no descriptors ----

my $keeper = $httpd->awaited_helper('keeper');
$httpd->mark;
ok(limit($keeper, '--nofile=3:1024'), 'the keeper may open no more files');
install($one[1]);
ok($httpd->wait_for_log(qr/SL0152: the certificate [^\n]*cannot be read: Too many open files/, 20), '... so it can take no change, and says so');
serves($one[0], '... what was there serves on');
ok(limit($keeper, '--nofile=1024:1024'), 'the shortage ends');

# ---- no memory ----

SKIP: {
    skip 'a sanitizer needs memory', 9 if $ENV{SL_SAN};
    put_file("$dir/ca.pem", $ca{'client-ca'} . $ca{intermediate});
    ok($httpd->wait_for_log(qr/SL0150: what client [^\n]*get it: 2 CA/, 20), 'CAs are taken');
    $httpd->mark;
    ok(limit($keeper, '--as=' . (size_of($keeper) + (1 << 20)) . ':unlimited'), 'the keeper gets no more memory');
    put_file("$dir/ca.pem", $ca{'other-ca'} . $ca{intermediate} . ('-' x 79 . "\n") x 50000);
    ok($httpd->wait_for_log(qr/SL0152: what client [^\n]*(?:memory ended|Cannot allocate memory)/, 20), '... so it can take no CAs, and says so');
    ok(gets_in($ann),  '... those before count on');
    ok(!gets_in($bob), '... and no others');
    ok(limit($keeper, '--as=unlimited:unlimited'), 'the shortage ends');
    ok(wait_until(sub { gets_in($bob) }, 60 * slow()), '... and the new ones are taken');
    put_file("$dir/ca.pem", $ca{'client-ca'});
    ok(wait_until(sub { gets_in($ann) }, 20 * slow()), '... and the next');
}
put_file("$dir/ca.pem", $ca{'client-ca'});
takes($one[1], 'the change that met no descriptors is taken too, though nobody touched the files again', 60);
is($httpd->helper('keeper'), $keeper, '... all by the same keeper');

# ---- no descriptors in a child ----

my $child = $httpd->serving_child;
my ($most)  = sort { $b <=> $a } map { s{.*/}{}r } glob "/proc/$child/fd/*";
my ($hard)  = slurp("/proc/$child/limits") =~ /^Max open files\s+\d+\s+(\d+)/m;
ok(limit($child, '--nofile=' . ($most + 3) . ":$hard"), 'a child may open hardly any');
install($one[2]);
takes($one[2], '... and yet has what is new');
ok(gets_in($ann), '... checks clients');
ok(limit($child, "--nofile=$hard:$hard"), 'the shortage ends');

# ---- too large ----

$httpd->mark;
install($one[3], $ca{intermediate} x 200);
ok($httpd->wait_for_log(qr/SL0152: the certificate [^\n]*are larger than what can be taken while httpd runs\. Leave out/, 20), 'more than the board has room for is refused');
serves($one[2], '... and what was there serves on');
install($one[3]);
takes($one[3], '... until it is smaller');

# ---- files that come and go ----

for my $n (1 .. 100) {
    unlink "$dir/one.crt";
    install($one[3 + $n % 2]);
}
takes($one[3], 'files that vanish and come back a hundred times: the last ones are taken');

# ---- killed ----

my %helper = map { $_ => $httpd->awaited_helper($_) } qw(keeper courier);
my $open   = $client{one}->tls('one.test');
$httpd->mark;
kill 'KILL', values %helper;
install($one[4]);
takes($one[4], 'both are killed: what changes meanwhile is taken by the next keeper');
ok(wait_until(sub { my $new = $httpd->helper($_); $new && $new != $helper{$_} }, 20 * slow()), "there is another $_") for qw(keeper courier);
$open->send("GET / HTTP/1.1\r\nHost: one.test\r\nConnection: close\r\n\r\n");
ok($open->response, 'a connection from before goes on');
is(() = $httpd->new_log =~ /SL0150/g, 1, 'nothing but that change is told of');
ok(wait_until(\&stapled, 30 * slow()), 'the next courier fetches an answer for it');

my ($begun, $spent) = (time, cpu($httpd->pid));
for my $round (2 .. 4) {
    for my $name (qw(keeper courier)) {
        my $pid = wait_until(sub { $httpd->helper($name) }, 10 * slow());
        kill 'KILL', $pid;
        wait_until(sub { ($httpd->helper($name) || $pid) != $pid }, 10 * slow());
    }
}
install($one[5]);
my $killed = time;
takes($one[5], 'killed four times in a row, they work on', 40);
cmp_ok(time - $killed, '>', 3, '... after a while: who dies young waits longer each time');
is(() = $httpd->new_log =~ /SL0132: the process sl-(?:keeper|courier) /g, 8, '... and each death is told once');
cmp_ok(cpu($httpd->pid) - $spent, '<', 1 * slow(), '... nobody is busy with it');
ok(stapled() || wait_until(\&stapled, 60 * slow()), '... nor is an answer lost');

# ---- no descriptors in the parent ----

$httpd->mark;
ok(limit($httpd->pid, '--nofile=3:1024'), 'the parent may open no more');
kill 'KILL', $httpd->awaited_helper('keeper');
ok($httpd->wait_for_log(qr/SL0133: the process sl-keeper could not be started/, 20), '... so it has no other keeper, and says so');
ok(limit($httpd->pid, '--nofile=1024:1024'), 'the shortage ends');
ok($httpd->wait_for_log(qr/SL0190: the process sl-keeper could be started at last/, 30), '... and it has one again');
is(() = $httpd->new_log =~ /SL0133/g, 1, '... which was told once');

# ---- the parent's end ----

$responder->mode('silent');
my $asked = $responder->asked;
install($one[6]);
takes($one[6], 'one more', 60);
ok(wait_until(sub { $responder->asked > $asked }, 20 * slow()), 'the courier waits for a responder that says nothing');
my @left = ($httpd->children, map { $httpd->helper($_) } qw(keeper courier));
my $port = $httpd->port('one');
kill 'KILL', $httpd->pid;
waitpid $httpd->pid, 0;
ok(wait_until(sub { !grep { !is_gone($_) } @left[-2, -1] }, 3 * slow()), 'the parent is killed: keeper and courier go at once');
kill 'KILL', grep { !is_gone($_) } @left;
ok(wait_until(sub { SL::Command::port_is_free($port) }, 5 * slow()), '... and the port is free when the children are gone');
delete @$httpd{qw(pid child)};
$responder->mode('ok');
ok($httpd->start, 'httpd starts again there');
serves($one[6], '... with the newest');
$httpd->stop;
$responder->stop;
done_testing;
