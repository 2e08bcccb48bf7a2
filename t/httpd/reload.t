# Certificates, keys and ticket keys that change on disk are served to new connections without a restart, in whatever way
# they are replaced; a keeper that dies loses nothing; restarts and SecureLayerReload do what they say.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Certs;
use SL::Client;
use SL::Command qw(slow slurp spew wait_until);
use SL::Httpd;
use File::Path qw(make_path);
use Time::HiRes qw(time);

plan skip_all => 'with one process there is a keeper too, but no time to wait for it' if ($ENV{SL_SAN} || '') eq 'tsan';

my $certs = SL::Certs->new;
sub made { my ($tag, %o) = @_; return $certs->server('one.test', type => 'ecdsa', tag => "reload-$tag", %o) }
my @one   = map { made($_) } 0 .. 9;
my $rsa   = made('rsa', type => 'rsa', issuer => 'intermediate');
my $two   = $certs->server('two.test', type => 'ecdsa', tag => 'reload');

my $httpd = SL::Httpd->new;
my $dir   = $httpd->root . '/work/tls';
make_path("$dir/live/one", "$dir/archive/one");

sub put_file { my ($path, $text) = @_; spew("$path.new", $text, 0600); rename "$path.new", $path or die "$path: $!" }
sub rewrite  { my ($path, $text) = @_; spew($path, $text, 0600) }
sub install  { my ($pair, $how) = @_; $how->("$dir/one.crt", slurp($pair->{full})); $how->("$dir/one.key", slurp($pair->{key})); return }

# As certbot lays them out: live/one/cert.pem -> ../../archive/one/cert1.pem
my $generation = 0;
sub certbot {
    my ($pair) = @_;
    $generation++;
    for my $file ([cert => $pair->{full}], [key => $pair->{key}]) {
        my ($name, $from) = @$file;
        spew("$dir/archive/one/$name$generation.pem", slurp($from), 0600);
        symlink "../../archive/one/$name$generation.pem", "$dir/live/one/$name.new" or die $!;
        rename "$dir/live/one/$name.new", "$dir/live/one/$name.pem" or die $!;
    }
    return;
}

# As Kubernetes mounts secrets: all files behind one link.
my $volume = 0;
sub mount_secret {
    my ($pair) = @_;
    $volume++;
    mkdir "$dir/vol$volume";
    spew("$dir/vol$volume/tls.crt", slurp($pair->{full}), 0600);
    spew("$dir/vol$volume/tls.key", slurp($pair->{key}),  0600);
    symlink "vol$volume", "$dir/data.new" or die $!;
    rename "$dir/data.new", "$dir/data" or die $!;
    return;
}

install($one[0], \&put_file);
certbot($one[0]);
mount_secret($one[0]);
spew("$dir/both.pem", slurp($one[0]{both}), 0600);
spew("$dir/ticket.key", 'a' x 80, 0600);

sub vhost {
    my ($port, $files, $more) = @_;
    return "Listen 127.0.0.1:\${port_$port}\n<VirtualHost *:\${port_$port}>\n ServerName one.test\n SSLEngine on\n $files\n"
        . ($more || '') . "</VirtualHost>\n";
}
$httpd->config(
    vhost('plain', qq(SSLCertificateFile "$dir/one.crt"\n SSLCertificateKeyFile "$dir/one.key"))
    . vhost('certbot', qq(SSLCertificateFile "$dir/live/one/cert.pem"\n SSLCertificateKeyFile "$dir/live/one/key.pem"))
    . vhost('secret', qq(SSLCertificateFile "$dir/data/tls.crt"\n SSLCertificateKeyFile "$dir/data/tls.key"))
    . vhost('both', qq(SSLCertificateFile "$dir/both.pem"\n SSLSessionTicketKeyFile "$dir/ticket.key"\n)));
$httpd->start_ok or BAIL_OUT('httpd does not start');
my %client = map { $_ => SL::Client->new(port => $httpd->port($_)) } qw(plain certbot secret both);

sub first_pem { my ($text) = @_; return $text =~ /(-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----)/s ? $1 : 'none' }
sub served    { my ($port) = @_; return first_pem($client{$port}->s_client('one.test')->{text}) }
sub takes {
    my ($port, $pair, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $want  = first_pem(slurp($pair->{cert}));
    my $begun = time;
    ok(wait_until(sub { served($port) eq $want }, 20 * slow()), $name) or diag $httpd->new_log;
    return time - $begun;
}
sub keeps {
    my ($port, $pair, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return is(served($port), first_pem(slurp($pair->{cert})), $name);
}

# ---- ways to replace ----

is(served('plain'), first_pem(slurp($one[0]{cert})), 'what the start found is served');
my $keeper = $httpd->awaited_helper('keeper');
my $open   = $client{plain}->tls('one.test');
install($one[1], \&put_file);
my $took = takes('plain', $one[1], 'replaced by rename');
cmp_ok($took, '<', 2 * slow() + 1, '... within two seconds');
$httpd->wait_for_log(qr/SL0150: the certificate \S+one\.crt was changed, and new connections get it: valid until/) or fail('it is told');
install($one[2], \&rewrite);
takes('plain', $one[2], 'rewritten in place');
$open->send("GET / HTTP/1.1\r\nHost: one.test\r\nConnection: close\r\n\r\n");
ok($open->response, 'a connection from before goes on');
certbot($one[1]);
takes('certbot', $one[1], 'links as certbot has them');
certbot($one[3]);
takes('certbot', $one[3], '... again');
mount_secret($one[1]);
takes('secret', $one[1], 'a link above the files');
mount_secret($one[2]);
takes('secret', $one[2], '... again');
put_file("$dir/both.pem", slurp($rsa->{both}));
takes('both', $rsa, 'certificate and key in one file, another key type, with a chain');
rename "$dir/one.crt", "$dir/away" or die $!;
put_file("$dir/one.key", slurp($one[4]{key}));
put_file("$dir/one.crt", slurp($one[4]{full}));
takes('plain', $one[4], 'removed and written anew');

# ---- the keeper ----

is($httpd->helper('keeper'), $keeper, 'the keeper is that of the start');
kill 'KILL', $keeper;
install($one[6], \&put_file);
takes('plain', $one[6], 'what changes while the keeper is gone is taken by the next one');
keeps('certbot', $one[3], '... which forgets nothing');
ok(wait_until(sub { my $new = $httpd->helper('keeper'); $new && $new != $keeper }, 10 * slow()), 'there is another keeper');

# ---- ticket keys ----

my $session = $httpd->root . '/work/session';
$client{both}->s_client('one.test', args => ['-sess_out', $session, '-tls1_2']);
ok($client{both}->s_client('one.test', args => ['-sess_in', $session, '-tls1_2'])->{resumed}, 'a ticket is resumed');
put_file("$dir/ticket.key", ('b' x 80) . ('a' x 80));
ok($httpd->wait_for_log(qr/SL0150: the ticket key file \S+ was changed, and new connections get it: 2 keys/), 'a new key file is taken');
ok($client{both}->s_client('one.test', args => ['-sess_in', $session, '-tls1_2'])->{resumed}, '... the old key still opens');
put_file("$dir/ticket.key", 'b' x 80);
ok($httpd->wait_for_log(qr/get it: 1 keys/), 'the old key goes');
ok(!$client{both}->s_client('one.test', args => ['-sess_in', $session, '-tls1_2'])->{resumed}, '... and opens no more');

# ---- restarts ----

ok($httpd->restart, 'a graceful restart');
keeps('plain', $one[6], '... reads the newest files');
install($one[7], \&put_file);
takes('plain', $one[7], '... and changes are taken after it');

$httpd->config("SecureLayerReload off\n");
ok($httpd->restart, 'SecureLayerReload off');
install($one[8], \&put_file);
ok($httpd->restart, '... a restart');
keeps('plain', $one[8], '... reads the new one');
$httpd->stop;

my $slowly = SL::Httpd->new;
$slowly->config("SecureLayerReload 1\n" . vhost('plain', qq(SSLCertificateFile "$dir/one.crt"\n SSLCertificateKeyFile "$dir/one.key")));
$slowly->start_ok or BAIL_OUT('httpd does not start');
$client{plain} = SL::Client->new(port => $slowly->port('plain'));
install($one[9], \&put_file);
takes('plain', $one[9], 'by the clock alone');
$slowly->stop;

for my $wrong ('', 'maybe', '0', '-1', '90000') {
    my $test = SL::Httpd->new;
    $test->config("Listen 127.0.0.1:\${port_x}\nSecureLayerReload $wrong\n");
    isnt($test->configtest->{status}, 0, "'$wrong' is refused");
}
done_testing;
