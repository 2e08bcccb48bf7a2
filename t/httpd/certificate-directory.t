# SecureLayerCertificateDirectory serves the certificate for the name asked for from a directory, whoever may read its
# keys: both layouts, wildcards, what is added, changed, broken and removed while httpd runs, and keepers that die.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use JSON::PP ();
use Test::More;
use File::Path qw(make_path remove_tree);
use Time::HiRes qw(time);
use SL::Certs;
use SL::Client;
use SL::Command qw(find_program run slow slurp spew wait_until);
use SL::Httpd;

plan skip_all => 'with one process there is a keeper too, but no time to wait for it' if ($ENV{SL_SAN} || '') eq 'tsan';

my $certs = SL::Certs->new;
sub made { my ($name, $tag, %o) = @_; return $certs->server($name, type => 'ecdsa', tag => "directory-$tag", %o) }

my $httpd = SL::Httpd->new(modules => ['vhost_alias', 'headers']);
my $dir   = $httpd->root . '/work/tls';
my $live  = $httpd->root . '/work/letsencrypt/live';
my $other = $httpd->root . '/work/other';
make_path($dir, $live, $other, $httpd->root . '/work/letsencrypt/archive');
chmod 0700, $dir, $live;    # httpd's children can't look into them

# name.pem; as root with keys for root alone
sub put_one {
    my ($name, $pair, $where) = @_;
    my $path = ($where || $dir) . "/$name.pem";
    spew("$path.new", slurp($pair->{both}), 0600);
    rename "$path.new", $path or die "$path: $!";
    return;
}

# name/fullchain.pem and name/privkey.pem, replaced one after the other
sub put_two {
    my ($name, $pair) = @_;
    make_path("$dir/$name");
    for my $file ([privkey => $pair->{key}], [fullchain => $pair->{full}]) {
        spew("$dir/$name/$file->[0].new", slurp($file->[1]), 0600);
        rename "$dir/$name/$file->[0].new", "$dir/$name/$file->[0].pem" or die $!;
    }
    return;
}

# As certbot has it: live/NAME/fullchain.pem -> ../../archive/NAME/fullchain1.pem
my $generation = 0;
sub certbot {
    my ($name, $pair) = @_;
    $generation++;
    make_path("$live/$name", "$live/../archive/$name");
    for my $file ([privkey => $pair->{key}], [fullchain => $pair->{full}]) {
        my ($kind, $from) = @$file;
        spew("$live/../archive/$name/$kind$generation.pem", slurp($from), 0600);
        unlink "$live/$name/$kind.pem";
        symlink "../../archive/$name/$kind$generation.pem", "$live/$name/$kind.pem" or die $!;
    }
    return;
}

my %cert = map { $_ => made($_, 'one') } qw(own.test a.test b.test c.test d.test e.test f.test host.test same.test fourth.test);
my $wild    = made('*.wild.test', 'one');
my $chained = made('chained.test', 'one', type => 'rsa', issuer => 'intermediate');

put_one('a.test', $cert{'a.test'});
put_two('b.test', $cert{'b.test'});
put_one('_.wild.test', $wild);
put_one('one.wild.test', made('one.wild.test', 'one'));
put_one('*.star.test', made('*.star.test', 'one'));
put_one('chained.test', $chained);
make_path("$dir/readme.test");
spew("$dir/README", "what certbot writes there\n");
certbot('bot.test', made('bot.test', 'one'));
certbot('lineage.test', made('*.lineage.test', 'one'));
put_one('same.test', $cert{'same.test'}, $other);

put_one('fourth.test', $cert{'fourth.test'}, $other);

# two key types of a name
my $two_rsa = made('two.test', 'rsa', type => 'rsa');
my $bot_rsa = made('bot.test', 'rsa', type => 'rsa');
put_one('two.test', made('two.test', 'one'));
spew("$dir/two.test.pem.rsa", slurp($two_rsa->{both}), 0600);
certbot('bot.test-rsa', $bot_rsa);

my $engine = 'SSLEngine on';
my $own = qq(SSLCertificateFile "$cert{'own.test'}{full}"\n    SSLCertificateKeyFile "$cert{'own.test'}{key}");
$httpd->file("docs/$_/index.html", "this is $_\n") for qw(a.test b.test x.wild.test own.test host.test);
$httpd->config(<<"CONF");
Listen 127.0.0.1:\${port_https}
Listen 127.0.0.1:\${port_bare}
Listen 127.0.0.1:\${port_refuse}
Listen 127.0.0.1:\${port_live}
Listen 127.0.0.1:\${port_off}
Listen 127.0.0.1:\${port_inherit}
SecureLayerCertificateDirectory "$other"
<VirtualHost *:\${port_https}>
    ServerName own.test
    $engine
    $own
    SecureLayerCertificateDirectory "$dir"
    UseCanonicalName off
    VirtualDocumentRoot "\${docs}/%0"
    Header set X-Certificate "%{SSL_SERVER_S_DN_CN}s"
</VirtualHost>
<VirtualHost *:\${port_https}>
    ServerName host.test
    $engine
    SecureLayerCertificateDirectory off
    SSLCertificateFile "$cert{'host.test'}{full}"
    SSLCertificateKeyFile "$cert{'host.test'}{key}"
    DocumentRoot "\${docs}/host.test"
</VirtualHost>
<VirtualHost *:\${port_https}>
    ServerName fourth.test
    $engine
    SSLCertificateFile "$cert{'host.test'}{full}"
    SSLCertificateKeyFile "$cert{'host.test'}{key}"
    SecureLayerCertificateDirectory "$other"
</VirtualHost>
<VirtualHost *:\${port_off}>
    ServerName own.test
    $engine
    $own
    SecureLayerCertificateDirectory OFF
</VirtualHost>
<VirtualHost *:\${port_inherit}>
    ServerName own.test
    $engine
    $own
</VirtualHost>
<VirtualHost *:\${port_inherit}>
    ServerName second.test
    $engine
    $own
    DocumentRoot "\${docs}/host.test"
</VirtualHost>
<VirtualHost *:\${port_bare}>
    ServerName own.test
    $engine
    SecureLayerCertificateDirectory "$dir"
</VirtualHost>
<VirtualHost *:\${port_refuse}>
    ServerName own.test
    $engine
    $own
    SecureLayerUnknownName refuse
    SecureLayerCertificateDirectory "$dir"
</VirtualHost>
<VirtualHost *:\${port_live}>
    ServerName own.test
    $engine
    $own
    SecureLayerCertificateDirectory "$live/"
</VirtualHost>
CONF
$httpd->config("<Location /status>\nSetHandler securelayer-status\n</Location>\n");
is($httpd->configtest->{status}, 0, 'httpd -t accepts it');
$httpd->start_ok or BAIL_OUT('httpd does not start');
unlike($httpd->new_log, qr/AH02572/, 'a host with nothing but a directory is no error');
my %client = map { $_ => SL::Client->new(port => $httpd->port($_)) } qw(https bare refuse live off inherit);

sub first_pem { my ($text) = @_; return $text =~ /(-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----)/s ? $1 : 'none' }
sub served    { my ($name, $port) = @_; return first_pem($client{ $port || 'https' }->s_client($name)->{text}) }
sub gets {
    my ($name, $pair, $claim, $port) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return is(served($name, $port), first_pem(slurp($pair->{cert})), $claim);
}
sub comes {
    my ($name, $pair, $claim, $port) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $want  = first_pem(slurp($pair->{cert}));
    my $begun = time;
    ok(wait_until(sub { served($name, $port) eq $want }, 20 * slow()), $claim) or diag $httpd->new_log;
    cmp_ok(time - $begun, '<', 2 * slow() + 0.5, '... within two seconds');
    return;
}

# ---- where a name is found ----

gets('a.test',       $cert{'a.test'}, 'NAME.pem');
gets('A.Test',       $cert{'a.test'}, '... however the name is written');
gets('b.test',       $cert{'b.test'}, 'NAME/fullchain.pem and NAME/privkey.pem');
gets('x.wild.test',  $wild, '_.PARENT.pem for all names below');
gets('y.wild.test',  $wild, '... for another one');
gets('one.wild.test', made('one.wild.test', 'one'), '... but not for one with a file of its own');
gets('x.star.test',  made('*.star.test', 'one'), '*.PARENT.pem too');
gets('x.x.wild.test', $cert{'own.test'}, '... not for names two below: the host\'s own certificate');
gets('wild.test',    $cert{'own.test'}, '... nor for the parent itself');
like($client{https}->s_client('chained.test', args => ['-showcerts'])->{text}, qr/(?:BEGIN CERTIFICATE.*){2}/s, 'the chain is sent');
is($client{https}->s_client('chained.test')->{verify}, 0, '... and is good for clients');
gets('bot.test',       made('bot.test', 'one'), 'certbot\'s layout, with links', 'live');
gets('x.lineage.test', made('*.lineage.test', 'one'), '... with a certificate for all names below, which is called by the parent\'s name', 'live');
gets('lineage.test',   $cert{'own.test'}, '... which does not cover the parent itself', 'live');
for my $two (['two.test', $two_rsa, 'https'], ['bot.test', $bot_rsa, 'live']) {
    my ($name, $rsa, $port) = @$two;
    for my $version ('-tls1_2', '-tls1_3') {
        my %got = map { $_->[0] => first_pem($client{$port}->s_client($name, args => [$version, '-sigalgs', $_->[1]])->{text}) }
            ['any' => 'ECDSA+SHA256:RSA-PSS+SHA256'], ['ecdsa' => 'ECDSA+SHA256'], ['rsa' => 'RSA-PSS+SHA256:RSA+SHA256'];
        is($got{$_}, first_pem(slurp(made($name, 'one')->{cert})), "$name, $version: a client that can do ECDSA ($_) gets that") for qw(any ecdsa);
        is($got{rsa}, first_pem(slurp($rsa->{cert})), '... another one RSA');
    }
}
gets('bot.test-rsa', $cert{'own.test'}, 'the directory of the second key type is no name', 'live');
gets('nobody.test',  $cert{'own.test'}, 'no such name: the host\'s own certificate');
gets('readme.test',  $cert{'own.test'}, 'a directory without certificate is none');
gets('host.test',    $cert{'host.test'}, 'a host of its own without directory keeps its certificate');
gets('fourth.test',  $cert{'fourth.test'}, '... with one, what is there for its name goes before its own');
gets('own.test',     $cert{'own.test'}, '... and what is not there does not');
gets('same.test', $cert{'same.test'}, 'the main server\'s directory is inherited', 'inherit');
gets('same.test', $cert{'own.test'}, '... unless it is off', 'off');
for my $bad ('../tls/a.test', 'a.test/', '..', '.', '127.0.0.1', '[::1]', '%61.test', 'a.test.pem', '_.wild.test', '*.wild.test', '-', 'a..test', 'x' x 64 . '.test') {
    gets($bad, $cert{'own.test'}, "'$bad' is not looked for");
}
is(first_pem($client{https}->s_client('', sni => '')->{text}), first_pem(slurp($cert{'own.test'}{cert})), 'no name: the host\'s own certificate');

# ---- names that are not there ----

gets('a.test', $cert{'a.test'}, 'a host that has nothing but a directory serves what is there', 'bare');
my $r = $client{bare}->s_client('nobody.test');
is($r->{alert_number}, 112, '... and answers other names with unrecognized_name') or diag $r->{text};
$r = $client{bare}->s_client('', sni => '');
is($r->{alert_number}, 112, '... and clients that send none') or diag $r->{text};
ok($httpd->wait_for_log(qr/SL0104: handshake failed \(unknown-name\).*name asked for nobody\.test.*no certificate for that name is in SecureLayerCertificateDirectory of own\.test:\d+, which has no other/), '... and the log says why');
ok($httpd->wait_for_log(qr/SL0104: handshake failed \(unknown-name\).*name asked for none.*the client sent no name by which/), '... for these too');
gets('a.test', $cert{'a.test'}, 'with SecureLayerUnknownName refuse what is there is known', 'refuse');
gets('own.test', $cert{'own.test'}, '... as is the host\'s own name', 'refuse');
is($client{refuse}->s_client('nobody.test')->{alert_number}, 112, '... all others are refused');

# ---- requests ----

for my $name (qw(a.test b.test x.wild.test)) {
    is($client{https}->curl("https://$name/")->{body}, "this is $name\n", "mod_vhost_alias serves $name from its own directory, and curl believes the certificate");
}
is($client{https}->curl('https://a.test/', args => ['-H', 'Host: b.test'])->{body}, "this is b.test\n", 'another Host on the same virtual host is served');
is($client{https}->curl('https://a.test/', args => ['-H', 'Host: host.test'])->{code}, 421, '... of another virtual host it is not');
is($client{https}->curl('https://host.test/', args => ['-H', 'Host: a.test'])->{code}, 421, '... nor the other way round');

is($client{inherit}->curl('https://own.test/', args => ['-H', 'Host: second.test'])->{code}, 421, '... of one with the same directory neither, as it may have another certificate there');

# ---- sessions ----

my $session = $httpd->root . '/work/session';
for my $version ('-tls1_2', '-tls1_3') {
    my $input = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";
    $client{https}->s_client('a.test', args => [$version, '-sess_out', $session], input => $input);
    my $resumed = $client{https}->s_client('a.test', args => [$version, '-sess_in', $session], input => $input);
    ok($resumed->{resumed}, "$version: a session is resumed for its name");
    like($resumed->{text}, qr/^X-Certificate: a\.test\r?$/m, '... and variables show its certificate');
    my $s = $client{https}->s_client('b.test', args => [$version, '-sess_in', $session]);
    ok(!$s->{resumed}, '... and not for another one of the same virtual host');
    is(first_pem($s->{text}), first_pem(slurp($cert{'b.test'}{cert})), '... which gets its own certificate');
}

# ---- changes ----

my @a = map { made('a.test', $_) } 1 .. 5;
my $open = $client{https}->tls('a.test');
put_one('a.test', $a[0]);
comes('a.test', $a[0], 'a file that is replaced');
$open->send("GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n");
ok($open->response, 'a connection from before goes on');
spew("$dir/a.test.pem", slurp($a[1]{both}), 0600);
comes('a.test', $a[1], 'a file that is rewritten in place');
put_two('b.test', made('b.test', 'two'));
comes('b.test', made('b.test', 'two'), 'files of a name\'s own directory');
certbot('bot.test', made('bot.test', 'two'));
comes('bot.test', made('bot.test', 'two'), 'links that lead elsewhere', 'live');
rename "$live/../archive/bot.test/fullchain$generation.pem", "$live/../archive/bot.test/away" or die $!;
certbot('bot.test', made('bot.test', 'three'));
comes('bot.test', made('bot.test', 'three'), '... after one of them led nowhere', 'live');
gets('c.test', $cert{'own.test'}, 'a name that is not there');
put_one('c.test', $cert{'c.test'});
comes('c.test', $cert{'c.test'}, '... is added');
gets('d.test', $cert{'own.test'}, 'another one');
put_two('d.test', $cert{'d.test'});
comes('d.test', $cert{'d.test'}, '... with a directory of its own');
put_one('two.wild.test', made('two.wild.test', 'one'));
comes('two.wild.test', made('two.wild.test', 'one'), 'a file of its own for a name that one for all names below served');
unlink "$dir/two.wild.test.pem" or die $!;
comes('two.wild.test', $wild, '... is removed again');
unlink "$dir/c.test.pem" or die $!;
comes('c.test', $cert{'own.test'}, 'a name that is removed');
remove_tree("$dir/d.test");
comes('d.test', $cert{'own.test'}, '... with its directory');
rename "$dir/a.test.pem", "$dir/a.test.away" or die $!;
gets('a.test', $a[1], 'a file that goes away is waited for');
put_one('a.test', $a[2]);
comes('a.test', $a[2], '... and comes back changed');
put_one('b.test', made('b.test', 'three'));
comes('b.test', made('b.test', 'three'), 'a file goes before a directory of the name');
rename $dir, "$dir.old" or die $!;
make_path($dir);
put_one('a.test', $a[3]);
comes('a.test', $a[3], 'the directory itself is replaced');

# ---- what can't be used ----

sub refused {
    my $file = @_ > 4 ? shift : "$_[0].pem";
    my ($name, $text, $why, $what) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $httpd->mark;
    spew("$dir/$name.new", $text, 0600);
    utime 1, 1, "$dir/$name.new";
    rename "$dir/$name.new", "$dir/$file" or die $!;
    ok(wait_until(sub { served($name); $httpd->new_log =~ /SL0176: a certificate for \Q$name\E can't be used; $what: [^\n]*$why/ }, 30 * slow()), "refused: $why")
        or diag $httpd->new_log;
    served($name) for 1 .. 3;
    my $lines = () = $httpd->new_log =~ /SL0176: a certificate for \Q$name\E/g;
    is($lines, 1, '... told once');
    return;
}
my $absent = 'it is as if it were not there';
my $stays  = 'what was served before serves on';
refused('e.test', '', 'is empty', $absent);
gets('e.test', $cert{'own.test'}, '... the host\'s own certificate is served');
gets('a.test', $a[3], '... and other names are as they were');
refused('e.test', slurp($cert{'e.test'}{full}), 'holds no private key, but a certificate. The file has to hold', $absent);
refused('e.test', slurp($cert{'e.test'}{full}) . slurp($cert{'f.test'}{key}), 'does not belong to the private key', $absent);
refused('e.test', slurp(made('e.test', 'late', start => '-9d', end => '-1d')->{both}), 'expired on', $absent);
refused('e.test', slurp(made('e.test', 'early', start => '+9d', end => '+19d')->{both}), 'is not valid before', $absent);
put_one('e.test', $cert{'e.test'});
comes('e.test', $cert{'e.test'}, 'repaired');
ok($httpd->wait_for_log(qr/SL0179: new connections get the certificate \S+e\.test\.pem, valid until/), '... which is told');
refused('e.test', slurp($cert{'f.test'}{both}) =~ s/-----BEGIN.*?CERT/junk/sr, 'holds no certificate', $stays);
gets('e.test', $cert{'e.test'}, '... what was there before serves on');
refused('e.test', slurp(made('e.test', 'weak', type => 'rsa1024')->{both}), 'key has only 1024 bits', $stays);
gets('e.test', $cert{'e.test'}, '... again');
put_one('e.test', made('e.test', 'soon', start => '-80d', end => '+5d'));
comes('e.test', made('e.test', 'soon', start => '-80d', end => '+5d'), 'one that is near its end');
ok($httpd->wait_for_log(qr/SL0178: the certificate \S+e\.test\.pem: it expires on .*, in [45] days: renew it/), '... is served and told of');
symlink '/nowhere/at/all', "$dir/f.test.pem" or die $!;
ok(wait_until(sub { served('f.test'); $httpd->new_log =~ /SL0176: a certificate for f\.test can't be used; [^\n]*No such file/ }, 20 * slow()), 'a link to nowhere is told of') or diag $httpd->new_log;
unlink "$dir/f.test.pem";
refused('f.test', slurp($cert{'a.test'}{both}), 'the certificate does not cover f\.test', $absent);
gets('f.test', $cert{'own.test'}, '... and is not served');
refused('e.test', slurp($cert{'f.test'}{both}), 'the certificate does not cover e\.test', $stays);

refused('two.test.pem.rsa', 'two.test', slurp($cert{'a.test'}{both}), 'two\.test\.pem\.rsa: the key is none of type RSA', $stays);
is(first_pem($client{https}->s_client('two.test', args => ['-sigalgs', 'RSA-PSS+SHA256'])->{text}), first_pem(slurp($two_rsa->{cert})), '... of either key type');

# ---- what the status page tells of directories ----

my $told = JSON::PP->new->utf8->decode($client{https}->curl('https://host.test/status?json')->{body})->{certificate_directories};
cmp_ok($told->{$_}, '>', 0, "JSON counts $_") for qw(directories identities questions loaded not_there refused);
my $metrics = $client{https}->curl('https://host.test/status?metrics')->{body};
like($metrics, qr/^securelayer_directory_identities $told->{identities}$/m, 'the metrics have the same number of certificates');
like($metrics, qr/^securelayer_directory_refused_total [1-9]/m, '... and what was refused');
like($client{https}->curl('https://host.test/status')->{body}, qr/Certificate directories.*certificates at hand/s, 'the page has a card of them');

# ---- the keeper ----

my $keeper = $httpd->awaited_helper('keeper');
kill 'KILL', $keeper;
gets('a.test', $a[3], 'without a keeper what is known serves on');
put_one('f.test', $cert{'f.test'});
comes('f.test', $cert{'f.test'}, 'what comes while it is gone is found by the next one');
ok(wait_until(sub { my $new = $httpd->helper('keeper'); $new && $new != $keeper }, 10 * slow()), 'there is another keeper');
put_one('a.test', $a[4]);
comes('a.test', $a[4], '... which follows changes');
$keeper = $httpd->awaited_helper('keeper');
kill 'STOP', $keeper;
my $begun = time;
gets('never-asked.test', $cert{'own.test'}, 'a keeper that does not answer: the host\'s own certificate');
cmp_ok(time - $begun, '<', 5 * slow(), '... after a moment');
$r = $client{bare}->s_client('not-asked-either.test');
is($r->{alert_number}, 80, '... or an alert that says that it is our trouble');
gets('a.test', $a[4], '... what is known serves on');
ok($httpd->wait_for_log(qr/SL0177: whether there is a certificate for never-asked\.test in SecureLayerCertificateDirectory is not known: the keeper process gave no answer/), '... it is told');
ok($httpd->wait_for_log(qr/SL0104: handshake failed \(other\).*name asked for not-asked-either\.test.*the keeper process g(?:ives no answers|ave no answer)/), '... to the end');
kill 'CONT', $keeper;
put_one('never-asked.test', made('never-asked.test', 'one'));
comes('never-asked.test', made('never-asked.test', 'one'), 'once it answers again, names are found');

# ---- restarts ----

rename $dir, "$dir.away" or die $!;
$httpd->mark;
ok($httpd->restart, 'a graceful restart while the directory is away') or BAIL_OUT($httpd->new_log);
like($httpd->new_log, qr/\[ssl:warn\] .*SL0196: \S+:\d+: SecureLayerCertificateDirectory: \Q$dir\E: the directory can't be read: No such file/, '... says so');
gets('a.test', $a[4], '... names are served on');
rename "$dir.away", $dir or die $!;
ok($httpd->restart, 'a graceful restart');
kill 'STOP', $httpd->awaited_helper('keeper');
gets('a.test', $a[4], '... keeps the names, and nobody has to be asked for them');
kill 'CONT', $httpd->helper('keeper');
put_one('a.test', $a[0]);
comes('a.test', $a[0], '... and follows changes');
$httpd->config("SecureLayerReload off\n");
ok($httpd->restart, 'SecureLayerReload off');
gets('a.test', $a[0], '... names are looked up');
put_one('a.test', $a[1]);
put_one('b.test', made('b.test', 'four'));
gets('b.test', made('b.test', 'four'), '... when they are asked for first');
gets('a.test', $a[0], '... and stay as they were then');
$httpd->stop;

for my $wrong ([qq("$dir/nowhere"), 'No such file'], [qq("$dir/a.test.pem"), 'is no directory'], ['', 'takes 1 argument'], ["$dir $dir", 'takes 1 argument']) {
    my $test = SL::Httpd->new;
    $test->config("Listen 127.0.0.1:\${port_x}\nSecureLayerCertificateDirectory $wrong->[0]\n");
    my $t = $test->configtest;
    isnt($t->{status}, 0, "'$wrong->[0]' is refused");
    like("$t->{err}$t->{out}", qr/SecureLayerCertificateDirectory: .*$wrong->[1]/, '... and the line says why');
}
# Whoever starts httpd has to be able to read it.
SKIP: {
    skip 'only root can become somebody else', 3 if $> != 0 || $ENV{SL_SAN} || !find_program('setpriv');
    my $test   = SL::Httpd->new;
    my $closed = $test->root . '/closed';
    mkdir $closed, 0700;
    $test->config("Listen 127.0.0.1:\${port_x}\n<VirtualHost *:\${port_x}>\nServerName own.test\nSSLEngine on\nSecureLayerCertificateDirectory $closed\n</VirtualHost>\n");
    is($test->configtest->{status}, 0, 'root may test a directory that only root can read');
    my $t = run(['setpriv', '--reuid', 'www-data', '--clear-groups', SL::Httpd::program(), '-t', '-f', $test->root . '/conf/httpd.conf']);
    isnt($t->{status}, 0, 'for others httpd -t fails');
    like("$t->{err}$t->{out}", qr/SecureLayerCertificateDirectory: \Q$closed\E: the directory can't be read: Permission denied/, '... and says why');
}
done_testing;
