# The status page, its JSON and the metrics tell what of certificate directories can't be used until it is repaired or
# gone, whatever becomes of the keeper, and which of their certificates that are in use come to their end.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use JSON::PP ();
use Test::More;
use File::Path qw(make_path);
use SL::Certs;
use SL::Client;
use SL::Command qw(slow slurp spew wait_until);
use SL::Conf qw(tls_host page);
use SL::Httpd;

plan skip_all => 'with one process there is a keeper too, but no time to wait for it' if ($ENV{SL_SAN} || '') eq 'tsan';

my $certs = SL::Certs->new;
my $httpd = SL::Httpd->new;
my $dir   = $httpd->root . '/work/tls <b>&';
make_path($dir);

sub put {
    my ($file, $text) = @_;
    spew("$dir/$file.new", $text, 0600);
    utime 1, 1, "$dir/$file.new";    # else what is broken may be half of a change
    rename "$dir/$file.new", "$dir/$file" or die "$file: $!";
    return;
}
my %days = (first => 5, later => 25, last => 80);
put("$_.test.pem", slurp($certs->server("$_.test", type => 'ecdsa', start => '-90d', end => "+$days{$_}d", tag => 'directory-status')->{both})) for keys %days;
put('later.test.pem.rsa', slurp($certs->server('later.test', type => 'rsa', start => '-90d', end => '+80d', tag => 'directory-status')->{both}));
put('unasked.test.pem', slurp($certs->server('unasked.test', type => 'ecdsa')->{both}));
put("broken$_.test.pem", 'none') for 1 .. 2;

page($httpd, 'host.test');
$httpd->config("Listen 127.0.0.1:\${port_https}\nSecureLayerCertificateDirectory \"$dir\"\n"
        . tls_host('host.test', $certs->server('host.test', type => 'ecdsa', start => '-9d', end => '+100d'), '<Location /tls>', 'SetHandler securelayer-status', '</Location>'));
$httpd->start_ok or BAIL_OUT('httpd does not start');
my $client = SL::Client->new(port => $httpd->port('https'));
sub get { my ($query) = @_; return $client->curl('https://host.test/tls' . ($query // ''))->{body} }
sub json { my ($query) = @_; return JSON::PP->new->utf8->decode(get('?json' . ($query // '')))->{certificate_directories} }
sub metrics { my $text = get('?metrics'); my %m; $m{$1} = $2 while $text =~ /^(\w+(?:\{[^}]*\})?) (\S+)$/mg; return \%m }
sub ask { my ($name) = @_; return $client->s_client("$name.test")->{connected} }
sub names { my ($about) = @_; return join ' ', map { $_->{name} } @{ $about->{list} } }
sub comes {
    my ($name, $check) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return ok(wait_until(sub { $check->(json()) }, 30 * slow()), $name) || diag explain json();
}

# ---- certificates in use ----

is_deeply([@{ json()->{certificates} }{qw(total matching first_expiry list)}], [0, 0, undef, []], 'nothing is in use so far');
ask($_) for keys %days;
my $used = json()->{certificates};
is(names($used), 'first.test later.test last.test later.test', 'certificates in use, the first to expire first, each key type for itself');
is_deeply([map { $_->{key_type} } @{ $used->{list} }], [qw(ECDSA ECDSA ECDSA RSA)], '... with their key types');
is_deeply([map { $_->{state} } @{ $used->{list} }], [qw(expiring valid valid valid)], '... and states');
is_deeply([map { int(($_->{seconds_left} + 3600) / 86400) } @{ $used->{list} }], [5, 25, 80, 80], '... and days left');
is($used->{list}[0]{directory}, $dir, '... and directory');
is($used->{first_expiry}, $used->{list}[0]{not_after}, '... the first end');
is_deeply($used->{states}, { valid => 3, expiring => 1, expired => 0, 'not-yet-valid' => 0 }, 'counted by state');
is_deeply($used->{expiring_within_days}, { 0 => 0, 1 => 0, 3 => 0, 7 => 1, 14 => 1, 30 => 2, 90 => 4 }, '... and by days left');
my $metrics = metrics();
is($metrics->{securelayer_directory_certificates}, 4, 'metrics have as many');
is_deeply({ map { $_ => $metrics->{qq(securelayer_directory_certificate_states{state="$_"})} } keys %{ $used->{states} } }, $used->{states}, '... by state');
is_deeply({ map { $_ => $metrics->{qq(securelayer_directory_certificates_expiring{days="$_"})} } keys %{ $used->{expiring_within_days} } },
    $used->{expiring_within_days}, '... by days left');
cmp_ok($metrics->{securelayer_directory_first_expiry_seconds}, '>', time, '... and the first end');
is($metrics->{securelayer_certificates}, 1, '... apart from those of hosts');
is(names(json('&filter=LATER')->{certificates}), 'later.test later.test', 'a filter by name');
is(json('&filter=nobody')->{certificates}{matching}, 0, '... for none');
is(json('&filter=nobody')->{certificates}{total}, 4, '... which changes no count');
is(json('&filter=tls+%3cb')->{certificates}{matching}, 4, '... by directory');
my $page = get();
like($page, qr{Certificates</h2><strong>5</strong><p>! 0 expired, 1 near}, 'the page counts them with those of hosts');
like($page, qr{directories that are in use</h2><p class="none">4 found.*[45] days left</span>.*<td data-is="Name">first\.test</td><td class="key" data-is="Key">ECDSA</td><td[^>]*>[^<]*/tls &lt;b&gt;&amp;</td>.*last\.test}s,
    '... and lists them, escaped');
unlike(get('?filter=first'), qr/<td data-is="Name">la/, '... filtered');
unlike($page, qr/unasked/, 'names that nobody asked for are not there');

# ---- refusals ----

is_deeply(json()->{refusals}, { total => 0, list => [] }, 'nothing is refused so far');
is(metrics()->{securelayer_directory_refusals}, 0, '... metrics say so');
unlike($page, qr/Refused in/, '... and the page');
ask("broken$_") for 1 .. 2;
comes('what is broken is listed', sub { $_[0]{refusals}{total} == 2 });
my ($one) = grep { $_->{name} eq 'broken1.test' } @{ json()->{refusals}{list} };
is($one->{directory}, $dir, '... with its directory');
like($one->{reason}, qr{^it is as if it were not there: \Q$dir\E/broken1\.test\.pem: }, '... and the reason');
like($one->{since}, qr/^\d{4}-.*Z$/, '... since when');
is(metrics()->{securelayer_directory_refusals}, 2, '... counted in the metrics');
like(get(), qr{Refused changes</h2><strong>2<.*Refused in certificate directories</h2>.*<td class="file">broken[12]\.test</td>.*refused</span> <small>.*: it is as if it were not there: [^<]*/tls &lt;b&gt;&amp;/broken}s, '... and on the page, escaped');
put('first.test.pem', 'none');
comes('a change that is refused is listed too', sub { ask('first'); $_[0]{refusals}{total} == 3 });
is(json()->{refusals}{list}[0]{name}, 'first.test', '... before older ones');
like(json()->{refusals}{list}[0]{reason}, qr/^what was served before serves on: /, '... which serves on');
is(names(json('&filter=first')->{certificates}), 'first.test', '... and is in use');
put('first.test.pem', slurp($certs->server('first.test', type => 'ecdsa', end => '+70d', tag => 'directory-status-2')->{both}));
comes('repaired, it leaves the list', sub { ask('first'); $_[0]{refusals}{total} == 2 });
is(names(json()->{certificates}), 'later.test first.test last.test later.test', '... with another end');
unlink "$dir/broken1.test.pem" or die $!;
comes('a file that is removed leaves it', sub { ask('broken1'); names($_[0]{refusals}) eq 'broken2.test' });

# ---- keepers come and go ----

my $keeper = $httpd->awaited_helper('keeper');
kill 'KILL', $keeper;
ok(wait_until(sub { my $new = $httpd->helper('keeper'); $new && $new != $keeper }, 10 * slow()), 'another keeper');
comes('... begins with an empty list', sub { $_[0]{refusals}{total} == 0 });
is(json()->{certificates}{total}, 4, '... what is in use is there');
ask('broken2');
comes('... and lists what it refuses', sub { names($_[0]{refusals}) eq 'broken2.test' });

$httpd->stop;
done_testing;
