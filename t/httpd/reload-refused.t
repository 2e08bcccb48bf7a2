# A change on disk that can't be used leaves the certificate before in service: refused with its reason, told once, as is the
# repair. Half of a change is none yet. Keys that only root can read are read, though children can't.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Certs;
use SL::Client;
use SL::Command qw(slow slurp spew wait_until);
use SL::Httpd;

plan skip_all => 'with one process there is a keeper too, but no time to wait for it' if ($ENV{SL_SAN} || '') eq 'tsan';

my $certs = SL::Certs->new;
sub made { my ($tag, %o) = @_; return $certs->server('one.test', type => 'ecdsa', tag => "refused-$tag", %o) }
my ($first, $next) = map { made($_) } 1, 2;
my $two = $certs->server('two.test', type => 'ecdsa', tag => 'refused');

my $httpd = SL::Httpd->new;
my $dir   = $httpd->root . '/work';
sub put_file { my ($path, $text) = @_; spew("$path.new", $text, 0600); rename "$path.new", $path or die "$path: $!" }
sub install  { my ($pair, $name) = @_; put_file("$dir/$name.key", slurp($pair->{key})); put_file("$dir/$name.crt", slurp($pair->{full})); return }

install($first, $_) for qw(one gone);
spew("$dir/ticket.key", 'a' x 80, 0600);
my $config = '';
for my $name (qw(one gone)) {
    $config .= "Listen 127.0.0.1:\${port_$name}\n<VirtualHost *:\${port_$name}>\n ServerName one.test\n SSLEngine on\n"
        . " SSLCertificateFile $dir/$name.crt\n SSLCertificateKeyFile $dir/$name.key\n SSLSessionTicketKeyFile $dir/ticket.key\n</VirtualHost>\n";
}
$httpd->config($config);
$httpd->start_ok or BAIL_OUT('httpd does not start');
my %client = map { $_ => SL::Client->new(port => $httpd->port($_)) } qw(one gone);

sub first_pem { my ($text) = @_; return $text =~ /(-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----)/s ? $1 : 'none' }
sub served    { my ($port) = @_; return first_pem($client{$port}->s_client('one.test')->{text}) }
sub serves {
    my ($port, $pair, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return is(served($port), first_pem(slurp($pair->{cert})), $name);
}
sub takes {
    my ($port, $pair, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $want = first_pem(slurp($pair->{cert}));
    return ok(wait_until(sub { served($port) eq $want }, 20 * slow()), $name) || diag $httpd->new_log;
}
sub refused {
    my ($reason, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return ok($httpd->wait_for_log(qr/SL0152: the \w[^\n]*? was changed, but can't be used; what was served before serves on: [^\n]*$reason/, 15),
        "$name: refused, with the reason") || diag $httpd->new_log;
}

SKIP: {
    skip 'needs root', 1 if $>;
    my $unprivileged = sub { return grep { slurp("/proc/$_/status") =~ /^Name:\s+(?!sl-).*^Uid:\s+[1-9]/ms } $httpd->children };
    ok(wait_until($unprivileged, 10 * slow()), 'children are not root: the keys they show are some that they could not read');
}

# ---- what is refused at once ----

my %bad = (
    'one that expired'    => [made('expired', start => '-20d', end => '-1d'), qr/expired on/],
    'one for other names' => [$two,                                         qr/does not cover one\.test/],
    'a weak one'          => [made('weak', type => 'rsa1024'),              qr/has only 1024 bits/],
    'one of tomorrow'     => [made('future', start => '+1d'),               qr/not valid before/],
);
for my $name (sort keys %bad) {
    $httpd->mark;
    install($bad{$name}[0], 'one');
    refused($bad{$name}[1], $name);
    serves('one', $first, '... and the one before serves on');
}

# ---- what may be half of a change, and is refused in the end ----

$httpd->mark;
put_file("$dir/one.crt", '');
unlink "$dir/gone.crt";
put_file("$dir/ticket.key", 'short');
refused(qr/empty/,               'an empty file');
refused(qr/gone\.crt[^\n]*No such file/i, 'a file that is gone');
refused(qr/no ticket keys/,      'what is no key file');
serves($_, $first, '... and the one before serves on') for qw(one gone);
utime undef, undef, "$dir/one.crt";
install($first, $_) for qw(one gone);
put_file("$dir/ticket.key", 'a' x 80);
ok($httpd->wait_for_log(qr/SL0151: the certificate \S+$_\.crt is in order again/), "$_: the repair is told") for qw(one gone);
ok($httpd->wait_for_log(qr/SL0151: the ticket key file \S+ is in order again/), '... of the key file too');
is(() = $httpd->new_log =~ /SL0152/g, 3, '... and each refusal was told once');

# ---- halves ----

$httpd->mark;
put_file("$dir/one.crt", slurp($next->{full}));
select undef, undef, undef, 1.5;    # the claim is about this time: nothing is said while the other half may come
serves('one', $first, 'a certificate without its key yet: the old one serves');
put_file("$dir/one.key", slurp($next->{key}));
takes('one', $next, '... and the new one once the key is there');
unlike($httpd->new_log, qr/SL0152/, '... which is no refusal');
$httpd->stop;
done_testing;
